import { isUtf8 } from 'node:buffer';
import { type Entry, getFileNameLowLevel } from 'yauzl';
import { dangerOf, faultOf } from './entry-name.ts';
import { showControls } from './zip-fault.ts';

/** General purpose bit 11: the name is UTF-8 (APPNOTE.TXT 4.4.4). */
const UTF8_FLAG = 0x800;

/** Systems in the upper byte of “version made by” (APPNOTE.TXT 4.4.2, Info-ZIP's zip.h for 11). */
const WINDOWS_HOSTS = new Set([0, 10, 11, 14]);

const [SLASH, BACKSLASH] = [0x2f, 0x5c];

/** Whether it can be the first half of a character of two bytes. */
function isHigh(byte: number | undefined): boolean {
  return byte !== undefined && byte > 0x7f;
}

/** An empty or '.' component: rare, and looked for in every name of a zip. */
const EMPTY_COMPONENT = /(^|\/)\.?(\/|$)/;

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
 * Encoding: Info-ZIP's Unicode path field, else UTF-8 when flagged, else CP437 (APPNOTE.TXT, appendix D). macOS and
 * many libraries write UTF-8 without the flag: a name that is valid UTF-8 is read as such, whatever system it says it
 * was made on (other text that happens to be valid UTF-8 is next to impossible). Names in other encodings come out as
 * CP437 shows them, always in the same way, so that a file list can name them as a message does.
 *
 * Backslashes: zips made on Windows by older .NET and PowerShell (Compress-Archive) separate folders with them, and
 * every common program reads them so: they are separators when the entry was made on Windows, or when the zip's other
 * names tell so (libraries on Windows often say that they are Unix). Else a backslash is a character of a file name on
 * one system and a folder on another: such an entry can't be used. In a name that has “/” between its folders, one after
 * a byte beyond ASCII is neither, but the second half of a character in Shift-JIS, GBK or Big5 (ソ, 表, 功): it is shown
 * as “＼”.
 *
 * @param separates whether a backslash stands between folders, whatever system the entry was made on
 */
export function readEntryPath(
  entry: Pick<Entry, 'fileNameRaw' | 'generalPurposeBitFlag' | 'extraFields' | 'versionMadeBy'>,
  separates: boolean,
): EntryPath {
  const raw = entry.fileNameRaw;
  const host = entry.versionMadeBy >> 8;
  const isUtf8Name = isUtf8(raw);
  const flags = entry.generalPurposeBitFlag | (isUtf8Name ? UTF8_FLAG : 0);
  const asWritten = getFileNameLowLevel(flags, raw, entry.extraFields, true);
  const isDoubleByte =
    !isUtf8Name && raw.includes(SLASH) && raw.some((byte, at) => byte === BACKSLASH && isHigh(raw[at - 1]));
  // In CP437 every character beyond ASCII is a byte beyond ASCII.
  const decoded = isDoubleByte ? asWritten.replace(/(?<=[^\0-\x7f])\\/g, '＼') : asWritten;
  const name = separates || WINDOWS_HOSTS.has(host) ? decoded.replaceAll('\\', '/') : decoded;
  // CP437 shows control bytes as symbols (☺ is 1), so that they are looked for in the bytes too, where the name is made of
  // these: Info-ZIP's field may have a name of its own.
  const hasControlBytes =
    raw.some((byte) => byte < 0x20 || byte === 0x7f) && asWritten === getFileNameLowLevel(flags, raw, [], true);
  return {
    name: decoded,
    path: showControls(pathOf(name)),
    isFolder: /(^|\/)\.?$/.test(name),
    danger: dangerOf(name),
    fault: faultOf(hasControlBytes ? `${name}\0` : name),
  };
}

function pathOf(name: string): string {
  if (!EMPTY_COMPONENT.test(name)) return name;
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}
