import { DiatomError } from '../errors.ts';

/** A file and its SHA-256 in hexadecimal. */
export interface Sum {
  readonly name: string;
  readonly sha256: string;
}

/** Sums in the form that `sha256sum --check` of GNU coreutils reads. Names hold no backslash and no line end. */
export function formatSums(files: readonly Sum[]): string {
  return files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
}

/**
 * Names may be paths below the folder of the list.
 *
 * @throws DiatomError `MODEL` with the line that does not belong in a list of sums, or when the list is empty
 */
export function parseSums(text: string, file: string): Sum[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  if (lines.length === 0) throw new DiatomError('MODEL', `${file} is empty: it should list the version’s files.`);
  return lines.map((line) => {
    const [, sha256, name] = /^([0-9a-f]{64}) [ *]([^\\]+)$/.exec(line) ?? [];
    if (sha256 !== undefined && name !== undefined && isBelow(name)) return { name, sha256 };
    throw new DiatomError(
      'MODEL',
      `${file} has the line “${line.slice(0, 100)}”, expected is a SHA-256 and a file’s name.`,
    );
  });
}

function isBelow(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
