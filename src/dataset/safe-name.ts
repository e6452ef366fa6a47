/** The longest name of a file or folder, in UTF-8 bytes, that ext4, APFS, NTFS and ownCloud all take. */
export const MAX_NAME_BYTES = 255;

/** Characters that Windows and ownCloud refuse in a name, and the two separators. */
const UNSAFE_CHARACTERS = /[\p{Cc}\\/:*?"<>|]/u;
const ALL_UNSAFE_CHARACTERS = new RegExp(UNSAFE_CHARACTERS, 'gu');

/** Names of devices on Windows, with any extension (learn.microsoft.com, "Naming Files, Paths, and Namespaces"). */
const RESERVED_NAME = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)/i;

/**
 * Why `name` can't be the name of one file or folder on Linux, Windows, macOS and ownCloud alike; `undefined` when it
 * can. The reason completes the sentence "… is not a safe name: it …".
 */
export function whyUnsafeName(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name === '.' || name === '..') return 'stands for a folder, not for a name';
  const found = UNSAFE_CHARACTERS.exec(name)?.[0];
  if (found !== undefined) {
    const shown = /\p{Cc}/u.test(found) ? 'a control character' : `the character ${found}`;
    return `holds ${shown}`;
  }
  // Written as UTF-8 every half would become the same replacement character, and different names one.
  if (!name.isWellFormed()) return 'holds half a character';
  if (/^\s|[\s.]$/.test(name)) return 'begins with a space, or ends with a space or a dot';
  if (RESERVED_NAME.test(name)) return 'is reserved on Windows';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`;
  return undefined;
}

/** The nearest safe name to any name: every unsafe character becomes `_`. Length is the caller's matter. */
export function toSafeName(name: string): string {
  const replaced = name
    .toWellFormed()
    .normalize('NFC')
    .replace(ALL_UNSAFE_CHARACTERS, '_')
    .replace(/^\s|[\s.]$/g, '_');
  return RESERVED_NAME.test(replaced) ? `_${replaced}` : replaced || '_';
}

/** Equal for two names that meet as one file on a file system that ignores case or Unicode form (NTFS, APFS). */
export function foldName(name: string): string {
  // Lower case first: ẞ becomes ß, and only ß becomes SS, as which all three meet.
  return name.normalize('NFD').toLowerCase().toUpperCase().toLowerCase().normalize('NFD');
}
