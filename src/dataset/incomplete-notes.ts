import { DiatomError } from '../errors.ts';

/** A file in which a server or program says what is missing from a zip. */
interface IncompleteNote {
  /** At the top of the zip or, when it was unpacked and zipped again, in its one folder. */
  readonly name: string;
  /** Who writes it, for people. */
  readonly writer: string;
  /** What it says is missing, a line each; none when all is there. */
  missingIn(text: string): string[];
}

/** Zips come with one of these files from servers that go on without what they can't read, or may not give. */
const NOTES: readonly IncompleteNote[] = [
  {
    // nextcloud/server, apps/dav, lib/Connector/Sabre/ZipFolderPlugin.php: an object of path and reason, at the end of the
    // zip, since 2026 (pull request 59049).
    name: 'missing_files.json',
    writer: 'Nextcloud',
    missingIn: linesOfJson,
  },
  {
    // IQSS/dataverse, DataFileZipper.java and api/Access.java; issues 2060, 2686, 5588 and 7157 are about it. The file is
    // in every bundle; the lines are about what it lacks.
    name: 'MANIFEST.TXT',
    writer: 'Dataverse',
    missingIn: (text) => linesOf(text).filter((line) => /\bskipped\b|\bCANNOT BE DOWNLOADED\b/i.test(line)),
  },
  {
    // RFC 8493, 2.2.3: what fetch.txt lists is no part of the zip and has to be downloaded to complete it.
    name: 'fetch.txt',
    writer: 'the program that made this BagIt bag',
    missingIn: (text) =>
      linesOf(text).flatMap((line) => {
        // The address before it may be a secret.
        const path = /^\S+:\/\/\S+\s+(?:\d+|-)\s+(.+)$/.exec(line)?.[1];
        return path === undefined ? [] : [path];
      }),
  },
];

/** No such note is longer in earnest; of longer ones the beginning says enough. */
export const MAX_NOTE_BYTES = 16 * 2 ** 20;

/** How many of the missing files an error quotes. */
const QUOTED = 5;

/** Names that people and programs give to lists of what did not come along: `missing_files.txt`, `download errors.log`. */
const SUSPICIOUS =
  /^(?:.*[ _-])?(?:missing|failed|failures|skipped|errors?|not[ _-]?(?:found|downloaded|included))(?:[ _-].*)?\.(?:txt|json|csv|tsv|log)$/i;

/** Whether a file of a zip may say what the zip lacks, by its path. */
export function isIncompleteNote(path: string): boolean {
  return noteAt(path) !== undefined || SUSPICIOUS.test(nameAtTop(path) ?? '');
}

/** A sentence about a file whose name says that it lists missing files, and whose writer is not known here. */
export function suspicion(zipName: string, path: string, text: string): string | undefined {
  if (noteAt(path) || !SUSPICIOUS.test(nameAtTop(path) ?? '')) return undefined;
  const [first] = linesOf(text);
  if (first === undefined) return undefined;
  return `${zipName}: its file “${path}” may name images that are missing. It begins with “${first.slice(0, 200)}”. Look into it, and get the zip again if it lacks images.`;
}

/**
 * @throws DiatomError `ZIP` that quotes the note, when it says that the zip lacks something
 */
export function requireComplete(zipName: string, path: string, text: string): void {
  const note = noteAt(path);
  const missing = note?.missingIn(text) ?? [];
  if (!note || missing.length === 0) return;
  const quoted = missing.slice(0, QUOTED).map((line) => `  ${line.slice(0, 300)}`);
  const more = missing.length > QUOTED ? [`  … and ${missing.length - QUOTED} more`] : [];
  const files = missing.length === 1 ? 'a file' : `${missing.length} files`;
  throw new DiatomError(
    'ZIP',
    [
      `The zip “${zipName}” is not complete: its ${path}, written by ${note.writer}, names ${files} that it lacks.`,
      ...quoted,
      ...more,
      'Download or make it again, in smaller parts if it is too large for its server, until nothing is missing. If it is right without these files, zip the folder again without that note.',
    ].join('\n'),
  );
}

function noteAt(path: string): IncompleteNote | undefined {
  const folded = nameAtTop(path)?.toLowerCase();
  return NOTES.find(({ name }) => name.toLowerCase() === folded);
}

/** The name of a file at the top of a zip, or in a folder there. */
function nameAtTop(path: string): string | undefined {
  const names = path.split('/', 3);
  return names.length > 2 ? undefined : names.at(-1);
}

function linesOf(text: string): string[] {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** An object of path and reason; anything else is quoted as it stands, as the file is there only when something is missing. */
function linesOfJson(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return linesOf(text);
  }
  if (typeof value !== 'object' || value === null) return linesOf(text);
  return Object.entries(value).map(
    ([path, reason]) => `${path}: ${typeof reason === 'string' ? reason : JSON.stringify(reason)}`,
  );
}
