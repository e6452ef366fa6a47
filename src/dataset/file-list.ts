import { gunzipSync } from 'node:zlib';
import { type ParseError, parse, printParseErrorCode, visit } from 'jsonc-parser';
import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { didYouMean } from '../text/nearest.ts';
import { checkText, decodeText } from './decode-text.ts';
import { isFileListCsv, parseFileListCsv } from './file-list-csv.ts';
import type { FileListEntry } from './file-list-entry.ts';
import { N_TEST_ALLOWED, parseNTest } from './n-test.ts';
import { firstOfZip } from './one-zip.ts';
import { foldName, MAX_NAME_BYTES, whyUnsafeName } from './safe-name.ts';
import { parseUmPerPixel, UM_PER_PIXEL_ALLOWED } from './um-per-pixel.ts';

/** Who signs in to a public link with its password (ownCloud, Infinite Scale and OpenCloud; Nextcloud takes any name). */
export const LINK_USER = 'public';

/** The longest list we unpack, in bytes: a million entries; beyond it, it is no file list. */
const MAX_LIST_BYTES = 256 * 1024 * 1024;

/** Beside the download its part is kept, with `.part.json` after its name. */
const MAX_DOWNLOAD_NAME_BYTES = MAX_NAME_BYTES - '.part.json'.length;

const safeName = (description: string) =>
  z.string().check(
    z.refine((name) => whyUnsafeName(name) === undefined, { error: (issue) => unsafeNameSentence(issue.input) }),
    z.meta({ description }),
  );

/** As folder: every folder; as label: the folder's name. */
export const EVERY = '*';

/** Whether every folder at a place is a class. */
export function takesEveryFolder({ explodedFolderName }: Pick<FileListEntry, 'explodedFolderName'>): boolean {
  return explodedFolderName === EVERY || explodedFolderName.endsWith(`/${EVERY}`);
}

function unsafeNameSentence(name: unknown): string {
  return `${quote(name)} is not a safe name: it ${whyUnsafeName(String(name))}`;
}

/** What may be an address, also without its beginning: `https:…`, `//host`, `www.…`, `host.org/…`, `…?token=…`. */
const ADDRESS_LIKE = /:\/|^\/\/|^www\.|^[^\s/]+\.[a-z]{2,}(:\d+)?\/|\?.*=/i;

/** A value for a message; an address that stands in the wrong place stays as secret as in the right one. */
function quote(value: unknown): string {
  const text = String(value);
  return ADDRESS_LIKE.test(text) || text.length > 300 ? 'the text there' : `“${text}”`;
}

/**
 * The folder without the slash that some people write at its end, with `/` between folders also where somebody copied
 * it from Windows. It is only looked for in zips, so any name of a folder will do: `Navicula sp.`, `cf. lanceolata?`.
 */
function trimFolder(folder: string): string {
  const path = folder.includes('/') ? folder : folder.replaceAll('\\', '/');
  return path.replace(/\/$/, '');
}

const entrySchema = z.strictObject({
  file_url: z
    .string()
    .check(
      z.refine(isWebAddress, { error: 'is not an address that begins with http:// or https://' }),
      z.meta({ description: 'Address of the zip, http or https. A public share link is fine.', format: 'uri' }),
    ),
  password: z.optional(
    z
      .string()
      .check(
        z.minLength(1, 'is empty: leave it out where the link has none'),
        z.meta({ description: 'Password of the public link. A secret, as the address is.' }),
      ),
  ),
  downloaded_file_name: safeName(
    'Name of the zip in data/downloads. One name a zip; of several entries with one zip, the first one’s counts.',
  ).check(
    z.refine((name) => !/\.part(\.json)?$/i.test(name), {
      error: 'ends with .part, which is kept for unfinished downloads',
    }),
    z.refine((name) => Buffer.byteLength(name) <= MAX_DOWNLOAD_NAME_BYTES, {
      error: `is longer than ${MAX_DOWNLOAD_NAME_BYTES} bytes, and an unfinished download has a longer name still`,
    }),
  ),
  exploded_folder_name: z.string().check(
    z.refine(
      (folder) =>
        folder === '.' ||
        trimFolder(folder)
          .split('/')
          .every((part) => part !== '' && part !== '.' && part !== '..' && !/\p{Cc}/u.test(part)),
      {
        error: (issue) => `${quote(issue.input)} is not a folder inside a zip, such as Hannaea or export/Hannaea`,
      },
    ),
    z.meta({
      description:
        'Folder inside the zip that holds the images; “.” for the whole zip; “*” for every folder, each a class of its own, or “export/*” for those below export.',
    }),
  ),
  species_label: z.string().check(
    z.refine((label) => label === EVERY || whyUnsafeName(label) === undefined, {
      error: (issue) => unsafeNameSentence(issue.input),
    }),
    z.meta({
      description:
        'Label of the images: the name of their folder in train and test. “*” where every folder is a class: its name.',
    }),
  ),
  classes: z.optional(
    z
      .record(z.string(), safeName('Label of the folder.'))
      .check(z.meta({ description: 'With “*”: labels of folders that are not to be named after the folder.' })),
  ),
  sha256: z.optional(
    z
      .string()
      .check(
        z.regex(/^[0-9a-fA-F]{64}$/, 'is not a SHA-256 of 64 hexadecimal digits'),
        z.meta({ description: 'SHA-256 of the zip; the download is checked against it.' }),
      ),
  ),
  n_test: z.optional(
    z.union([z.number(), z.string()]).check(
      z.refine((value) => parseNTest(String(value)) !== undefined, {
        error: (issue) => `is ${quote(issue.input)}, allowed is ${N_TEST_ALLOWED}`,
      }),
      z.meta({ description: `How many images of this zip go to test: ${N_TEST_ALLOWED}. Overrides n-test.` }),
    ),
  ),
  um_per_pixel: z.optional(
    z.union([z.number(), z.string()]).check(
      z.refine((value) => parseUmPerPixel(String(value)) !== undefined, {
        error: (issue) => `is ${quote(issue.input)}, allowed is ${UM_PER_PIXEL_ALLOWED}`,
      }),
      z.meta({ description: `How many micrometres a pixel of these images is wide: ${UM_PER_PIXEL_ALLOWED}.` }),
    ),
  ),
});

const fileListSchema = z
  .array(entrySchema)
  .check(z.minLength(1, 'is empty: it needs at least one entry'), z.meta({ title: 'Diatom file list' }));

/** The JSON Schema of a file list, made from the validator itself. */
export function fileListJsonSchema(): object {
  return z.toJSONSchema(fileListSchema);
}

/**
 * Reads and checks a file list.
 *
 * @param list JSON, CSV with the same keys as columns, or base64 of gzip of either; as text or as a file's bytes in
 *   UTF-8 or UTF-16
 * @param where how errors name the list: the input or the path it came from
 * @throws DiatomError `FILE_LIST` with all faults of the list in one message, which never quotes an address or the text
 */
export function parseFileList(list: string | Uint8Array, where: string): FileListEntry[] {
  const plain = unpack(plainText(list, where), where);
  const isTable = isFileListCsv(plain);
  const json = isTable ? parseFileListCsv(plain, where) : parseJson(plain, where);
  const parsed = fileListSchema.safeParse(json, { error: sentenceOfIssue });
  const faults = parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${place(path)}${message}`);
  faults.push(
    ...(isTable ? [] : repeatedKeys(plain)),
    ...clashes(json),
    ...(parsed.success ? passwordFaults(parsed.data) : []),
    ...labelVariants(textsOf(json, 'species_label')),
    ...(parsed.success ? stars(parsed.data) : []),
  );
  if (!parsed.success || faults.length > 0) {
    const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
    throw new DiatomError(
      'FILE_LIST',
      [`The file list (${where}) has ${count}:`, ...unknownKeysOnce(faults)].join('\n- '),
    );
  }
  const passwords = passwordsOf(parsed.data);
  return parsed.data.map((entry) => ({
    fileUrl: withPassword(entry.file_url, passwords.get(entry.file_url)),
    downloadedFileName: entry.downloaded_file_name.normalize('NFC'),
    explodedFolderName: trimFolder(entry.exploded_folder_name),
    speciesLabel: entry.species_label.normalize('NFC'),
    classes: entry.classes && new Map(Object.entries(entry.classes)),
    sha256: entry.sha256?.toLowerCase(),
    nTest: entry.n_test === undefined ? undefined : parseNTest(String(entry.n_test)),
    ...(entry.um_per_pixel !== undefined && { umPerPixel: parseUmPerPixel(String(entry.um_per_pixel)) }),
  }));
}

/** The password of each address: given once, it counts for all entries with that zip. */
function passwordsOf(entries: readonly z.infer<typeof entrySchema>[]): ReadonlyMap<string, string> {
  return new Map(entries.flatMap(({ file_url: url, password }) => (password === undefined ? [] : [[url, password]])));
}

/** The address with the sign-in to its public link: from here on, one text is all that is secret of an entry. */
function withPassword(address: string, password: string | undefined): string {
  if (password === undefined) return address;
  const url = new URL(address);
  url.username = LINK_USER;
  url.password = encodeURIComponent(password);
  return url.href;
}

function passwordFaults(entries: readonly z.infer<typeof entrySchema>[]): string[] {
  const passwords = passwordsOf(entries);
  return entries.flatMap(({ file_url: url, password }, index) => {
    if (password === undefined) return [];
    if (URL.parse(url)?.username || URL.parse(url)?.password) {
      return [`entry ${index + 1}, password: file_url has a user name or password already; keep one of them`];
    }
    if (passwords.get(url) === password) return [];
    return [`entry ${index + 1}, password: is another than in a later entry with the same file_url`];
  });
}

function isWebAddress(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.hostname !== '';
}

/** @throws DiatomError `FILE_LIST` for bytes in another encoding, which would make other labels of the names */
function plainText(list: string | Uint8Array, where: string): string {
  const program = typeof list === 'string' ? undefined : spreadsheetOf(list);
  if (program !== undefined) {
    throw new DiatomError(
      'FILE_LIST',
      `The file list (${where}) is a file of ${program} and not CSV. Open it there, save it as “CSV UTF-8” (Excel) or “Text CSV” with the character set UTF-8 (LibreOffice), and give that file.`,
    );
  }
  const decoded = typeof list === 'string' ? checkText(list) : decodeText(list);
  if ('text' in decoded) return decoded.text;
  throw new DiatomError(
    'FILE_LIST',
    `The file list (${where}) is not saved as UTF-8: line ${decoded.wrongLine} has bytes that are not text there (“ü” saved as “ANSI”, say). Save it again with the encoding UTF-8 (in a spreadsheet: “CSV UTF-8”).`,
  );
}

/** Spreadsheets' own files, by their first bytes. */
function spreadsheetOf(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 100)).toString('latin1');
  if (head.startsWith('\xd0\xcf\x11\xe0')) return 'Excel (.xls)';
  if (!head.startsWith('PK\x03\x04')) return undefined;
  return head.includes('opendocument') ? 'LibreOffice (.ods)' : 'a spreadsheet (.xlsx, .ods, .numbers)';
}

/** The JSON or CSV text, unpacked when it came as base64 of gzip. */
function unpack(plain: string, where: string): string {
  // Not trimmed: an error counts the lines of the whole text.
  if (!/^[A-Za-z0-9+/=\s]+$/.test(plain.trim())) return plain;
  const bytes = Buffer.from(plain, 'base64');
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) throw noList(where);
  let unpacked: Buffer;
  try {
    unpacked = gunzipSync(bytes, { maxOutputLength: MAX_LIST_BYTES });
  } catch (cause) {
    throw new DiatomError(
      'FILE_LIST',
      `The file list (${where}) looks like base64 of gzip, but can’t be unpacked: it is cut off or damaged. Make it again from the file.`,
      { cause },
    );
  }
  return plainText(unpacked, where);
}

function noList(where: string): DiatomError {
  return new DiatomError(
    'FILE_LIST',
    `The file list (${where}) is neither JSON, which begins with “[”, nor CSV with the column file_url, nor base64 of gzip, which begins with “H4sI”. A CSV begins with the line that names its columns: file_url,downloaded_file_name,exploded_folder_name,species_label.`,
  );
}

function parseJson(text: string, where: string): unknown {
  const start = text.trimStart().slice(0, 100);
  if (start === '') throw new DiatomError('FILE_LIST', `The file list (${where}) is empty.`);
  if (!/[[{]/.test(start)) throw noList(where);
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message quotes the text, which is a secret, so the place comes from a parser that gives offsets.
    const errors: ParseError[] = [];
    parse(text, errors, { disallowComments: true });
    const first = errors[0];
    const before = text.slice(0, first?.offset ?? text.length).split('\n');
    const column = (before.at(-1)?.length ?? 0) + 1;
    if (isObjectALine(text)) {
      throw new DiatomError(
        'FILE_LIST',
        `The file list (${where}) has an object a line (JSON Lines), expected one array: write “[” before the first, “]” after the last, and a comma between two.`,
      );
    }
    const problem = first ? printParseErrorCode(first.error).replace(/(?<=[a-z])(?=[A-Z])/g, ' ') : 'Invalid Syntax';
    throw new DiatomError(
      'FILE_LIST',
      `The file list (${where}) is not valid JSON: ${problem.toLowerCase()} at line ${before.length}, column ${column}. Common causes are a comma too many or missing, or typographic quotes.`,
    );
  }
}

function isObjectALine(text: string): boolean {
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== '');
  return lines.length > 1 && lines.every((line) => /^\s*\{.*\}\s*$/.test(line));
}

/** A key that many entries have, as where a column of a CSV is spelt wrong, is told once. */
function unknownKeysOnce(faults: readonly string[]): string[] {
  const groups = Map.groupBy(faults, (fault) => fault.replace(/^entry \d+(?=: unknown key )/, ''));
  return [...groups].flatMap(([rest, same]) => {
    const [first = '', ...others] = same;
    const isKey = rest !== first && others.length > 0;
    return isKey ? first.replace(/^entry \d+/, `$& and ${others.length} more`) : same;
  });
}

/** Sentences for the faults that the schema itself finds. None quotes a value that may be an address. */
function sentenceOfIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const allowed = Object.keys(entrySchema.shape);
      const meant = didYouMean(issue.keys[0] ?? '', allowed);
      return `unknown key ${issue.keys.map(quote).join(', ')}${meant ? `.${meant}` : `; allowed are ${allowed.join(', ')}`}`;
    }
    case 'invalid_type':
    case 'invalid_union':
      if (issue.input === undefined) return 'is missing';
      return `is ${kindOf(issue.input)}, expected ${issue.code === 'invalid_type' ? withArticle(issue.expected) : 'a number or a text'}`;
    default:
      return undefined;
  }
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : withArticle(Array.isArray(value) ? 'array' : typeof value);
}

function withArticle(type: string): string {
  const word = type === 'string' ? 'text' : type;
  return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`;
}

/** Where in the list a fault is, as a reader counts: from 1. */
function place(path: readonly PropertyKey[]): string {
  const [index, key] = path;
  if (typeof index !== 'number') return path.length === 0 ? 'the list ' : '';
  return key === undefined ? `entry ${index + 1}: ` : `entry ${index + 1}, ${String(key)}: `;
}

/** Keys that an entry has more than once: JSON.parse would keep the last value and say nothing. */
function repeatedKeys(text: string): string[] {
  const counts = new Map<string, number>();
  const faults: string[] = [];
  visit(text, {
    onObjectBegin: (_offset, _length, _line, _column, pathSupplier) => {
      if (pathSupplier().length === 1) counts.clear();
    },
    onObjectProperty: (key, _offset, _length, _line, _column, pathSupplier) => {
      const path = pathSupplier();
      if (path.length !== 1) return;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count === 2) faults.push(`${place(path)}repeated key ${quote(key)}; keep one of them`);
    },
  });
  return faults;
}

/** The texts under one key of every entry, also of a list that has faults elsewhere; `undefined` for anything else. */
function textsOf(list: unknown, key: string): (string | undefined)[] {
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown) => {
    const value =
      typeof entry === 'object' && entry !== null ? Object.entries(entry).find(([k]) => k === key)?.[1] : '';
    return typeof value === 'string' && value !== '' ? value : undefined;
  });
}

/** Download names that would meet as one file, and sums that contradict each other. */
function clashes(list: unknown): string[] {
  const [urls, sums] = [textsOf(list, 'file_url'), textsOf(list, 'sha256')];
  const zips = firstOfZip(urls.map((fileUrl, index) => ({ fileUrl, sha256: sums[index] })));
  const first = new Map<string, number>();
  const names = textsOf(list, 'downloaded_file_name').flatMap((name, index) => {
    if (name === undefined) return [];
    const earlier = first.get(foldName(name)) ?? index;
    first.set(foldName(name), earlier);
    if (zips[earlier] === zips[index]) return [];
    return [
      `entry ${index + 1}, downloaded_file_name: ${quote(name)} is taken by entry ${earlier + 1}; each zip needs its own`,
    ];
  });
  const summed = new Map<number, number>();
  const others = sums.flatMap((sum, index) => {
    if (sum === undefined) return [];
    const zip = zips[index] ?? index;
    const earlier = summed.get(zip) ?? index;
    summed.set(zip, earlier);
    if (sums[earlier]?.toLowerCase() === sum.toLowerCase()) return [];
    return [`entry ${index + 1}, sha256: is another than in entry ${earlier + 1}, which has the same file_url`];
  });
  return [...names, ...others];
}

/** Entries where a star stands without its other half. */
function stars(entries: readonly z.infer<typeof entrySchema>[]): string[] {
  return entries.flatMap(({ exploded_folder_name: folder, species_label: label, classes }, index) => {
    const takesEvery = takesEveryFolder({ explodedFolderName: trimFolder(folder) });
    if (takesEvery && label !== EVERY) {
      return [
        `entry ${index + 1}, species_label: is ${quote(label)}, and exploded_folder_name takes every folder as a class; write “*”`,
      ];
    }
    if (!takesEvery && label === EVERY) {
      const below = folder === '.' ? EVERY : `${trimFolder(folder)}/${EVERY}`;
      return [
        `entry ${index + 1}, species_label: is “*”, and exploded_folder_name names one folder; if every folder in it is a class, write ${quote(below)} there`,
      ];
    }
    if (!takesEvery && classes) {
      return [`entry ${index + 1}, classes: goes with exploded_folder_name “*” only; write the label as species_label`];
    }
    return [];
  });
}

/** Labels that differ only in case or Unicode form: one folder on some machines, two on others. */
function labelVariants(labels: readonly (string | undefined)[]): string[] {
  const first = new Map<string, string>();
  return labels.flatMap((label, index) => {
    if (label === undefined) return [];
    const earlier = first.get(foldName(label)) ?? label;
    first.set(foldName(label), earlier);
    if (earlier.normalize('NFC') === label.normalize('NFC')) return [];
    return [
      `entry ${index + 1}, species_label: ${quote(label)} and ${quote(earlier)} differ only in upper and lower case; write one of them`,
    ];
  });
}
