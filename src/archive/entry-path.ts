import { isUtf8 } from 'node:buffer';
import { type Entry, getFileNameLowLevel } from 'yauzl';
import { showControls } from './zip-fault.ts';

/** The longest name of a file or folder, in bytes of UTF-8, that ext4, APFS and NTFS can all hold. */
const MAX_COMPONENT_BYTES = 255;

/** General purpose bit 11: the name is UTF-8 (APPNOTE.TXT 4.4.4). */
const UTF8_FLAG = 0x800;

/** Systems in the upper byte of “version made by” (APPNOTE.TXT 4.4.2, Info-ZIP's zip.h for 11). */
const UNIX_HOSTS = new Set([3, 19]);
const WINDOWS_HOSTS = new Set([0, 10, 11, 14]);

export interface EntryPath {
  /** As the zip spells it, decoded. */
  readonly name: string;
  /** '/'-separated, without empty and '.' components; control characters are shown as pictures. */
  readonly path: string;
  readonly isFolder: boolean;
  /** Why no zip with such a name is used, as the rest of a sentence: it could be meant to write to foreign places. */
  readonly danger: string | undefined;
  /** Why this entry can't be used, as the rest of a sentence; the others can. */
  readonly fault: string | undefined;
}

/**
 * The path of an entry and what is wrong with it.
 *
 * Encoding: Info-ZIP's Unicode path field, else UTF-8 when flagged, else CP437 (APPNOTE.TXT, appendix D). macOS writes
 * UTF-8 without the flag: a name made on a Unix that is valid UTF-8 is read as such (CP437 text that happens to be
 * valid UTF-8 is next to impossible).
 *
 * Backslashes: zips made on Windows by older .NET and PowerShell (Compress-Archive) separate folders with them, and
 * every common program reads them so: they are separators when the entry was made on Windows. Made elsewhere, a
 * backslash is a character of a file name on one system and a folder on another: such a zip is refused.
 */
export function readEntryPath(
  entry: Pick<Entry, 'fileNameRaw' | 'generalPurposeBitFlag' | 'extraFields' | 'versionMadeBy'>,
): EntryPath {
  const raw = entry.fileNameRaw;
  const host = entry.versionMadeBy >> 8;
  const flags = entry.generalPurposeBitFlag | (UNIX_HOSTS.has(host) && isUtf8(raw) ? UTF8_FLAG : 0);
  const decoded = getFileNameLowLevel(flags, raw, entry.extraFields, true);
  const name = WINDOWS_HOSTS.has(host) ? decoded.replaceAll('\\', '/') : decoded;
  // CP437 shows control bytes as symbols (☺ is 1), so that they are looked for in the bytes too.
  const hasControlBytes = raw.some((byte) => byte < 0x20 || byte === 0x7f);
  return {
    name: decoded,
    path: showControls(pathOf(name)),
    isFolder: /(^|\/)\.?$/.test(name),
    danger: dangerOf(name),
    fault: faultOf(hasControlBytes ? `${name}\0` : name),
  };
}

function pathOf(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/** What makes a name unsafe: it could lead out of a folder that the zip is unpacked into. */
export function dangerOf(name: string): string | undefined {
  if (name === '') return 'has no name.';
  if (/^[\\/]/.test(name)) return 'has an absolute path (it begins with a slash).';
  if (/^[A-Za-z]:/.test(name)) return 'has a path on a drive of Windows (a letter and a colon).';
  if (name.split(/[\\/]/).includes('..')) return 'leads out of the folder that it is unpacked into (“..”).';
  if (name.includes('\\')) return 'has a backslash in its name, which is a folder on some systems and not on others.';
  return undefined;
}

/** What makes a name unusable on some system. */
export function faultOf(name: string): string | undefined {
  if (showControls(name) !== name) return 'has a control character in its name: rename the file.';
  const long = name.split('/').find((part) => Buffer.byteLength(part) > MAX_COMPONENT_BYTES);
  if (long !== undefined) {
    return `has a name of ${Buffer.byteLength(long)} bytes; files and folders can have ${MAX_COMPONENT_BYTES}: rename it.`;
  }
  return undefined;
}
