import { DiatomError } from '../errors.ts';
import { quoteName, showControls } from './zip-fault.ts';

/** The longest name of a file or folder, in bytes of UTF-8, that ext4, APFS and NTFS can all hold. */
const MAX_COMPONENT_BYTES = 255;

/** The longest path of an entry, in bytes: its length has two (APPNOTE.TXT 4.4.10). */
const MAX_NAME_BYTES = 0xffff;

/** What makes a name unsafe: it could lead out of a folder that the zip is unpacked into. */
export function dangerOf(name: string): string | undefined {
  if (name === '') return 'has no name.';
  if (/^[\\/]/.test(name)) return 'has an absolute path (it begins with a slash).';
  if (/^[A-Za-z]:[\\/]/.test(name)) return 'has a path on a drive of Windows (a letter, a colon and a slash).';
  if (name.split(/[\\/]/).includes('..')) return 'leads out of the folder that it is unpacked into (“..”).';
  return undefined;
}

/** What makes a name unusable on some system. */
export function faultOf(name: string): string | undefined {
  // On Windows a place on a drive; elsewhere m:n.png is a name like any other.
  if (/^[A-Za-z]:/.test(name))
    return 'has a name that begins with a letter and a colon, which is a drive on Windows: rename it.';
  if (name.includes('\\'))
    return 'has a backslash in its name, which is a folder on some systems and not on others: rename it.';
  if (showControls(name) !== name) return 'has a control character in its name: rename the file.';
  const long = name.split('/').find((part) => Buffer.byteLength(part) > MAX_COMPONENT_BYTES);
  if (long !== undefined) {
    return `has a name of ${Buffer.byteLength(long)} bytes; files and folders can have ${MAX_COMPONENT_BYTES}: rename it.`;
  }
  return undefined;
}

/**
 * The name of an entry as a zip holds it: one that our own reader, and every other program, can unpack.
 *
 * @throws DiatomError `ZIP` for any other
 */
export function entryName(name: string): Buffer {
  const bytes = Buffer.from(name);
  const fault =
    dangerOf(name) ??
    faultOf(name) ??
    (name.split('/').some((part) => part === '' || part === '.') ? 'has an empty folder name, or “.”.' : undefined) ??
    (name.isWellFormed() ? undefined : 'has half a character in it.') ??
    (bytes.length > MAX_NAME_BYTES ? `is longer than ${MAX_NAME_BYTES} bytes.` : undefined);
  if (fault !== undefined)
    throw new DiatomError('ZIP', `The archive can’t hold the entry ${quoteName(name)}: it ${fault}`);
  return bytes;
}
