import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { requireCommand, run } from './commands.ts';

const PYTHON_UNPACK = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])';
/** `testzip` reads every file and compares its checksum. */
const PYTHON_COUNT = `
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
files = archive.infolist()
print(len(files), sum(file.file_size for file in files))`;
const JAVA = join(import.meta.dirname, 'ReadZip.java');

/** A program that reads zips, made by somebody else. */
export interface Unpacker {
  /** Unpacks `archive` into the folder `target`, which exists. */
  unpack(archive: string, target: string): Promise<unknown>;
  /** Reads all of `archive` without writing, checks what the program can check, and counts. */
  count(archive: string): Promise<{ readonly entries: number; readonly bytes: number }>;
}

/** The programs that people have, by name. bsdtar and Java read from front to back, without the directory at the end. */
export const UNPACKERS: Readonly<Record<string, Unpacker>> = {
  unzip: {
    unpack: (archive, target) => run('unzip', ['-q', archive, '-d', target]),
    count: async (archive) => {
      await run('unzip', ['-tqq', archive]);
      return countIn(await run('unzip', ['-Zt', archive]), /^(?<entries>\d+) files?, (?<bytes>\d+) bytes/m);
    },
  },
  '7z': {
    unpack: (archive, target) => run('7z', ['x', `-o${target}`, archive]),
    count: async (archive) =>
      countIn(await run('7z', ['t', archive]), /^Files: (?<entries>\d+)\s+Size: +(?<bytes>\d+)/m),
  },
  'Python’s zipfile': {
    unpack: (archive, target) => run('python3', ['-c', PYTHON_UNPACK, archive, target]),
    count: async (archive) => numbersIn(await run('python3', ['-c', PYTHON_COUNT, archive])),
  },
  'bsdtar from a pipe': {
    unpack: (archive, target) => shell('cat "$1" | bsdtar -xf - -C "$2"', archive, target),
    count: async (archive) =>
      numbersIn(await shell('cat "$1" | bsdtar -tf - | wc -l; cat "$1" | bsdtar -xOf - | wc -c', archive)),
  },
  'Java’s ZipInputStream': {
    unpack: (archive, target) => run('java', [JAVA, archive, target]),
    count: async (archive) => numbersIn(await run('java', [JAVA, archive])),
  },
};

/** Fails, and says how to get it, when one of the programs is missing. */
export function requireUnpackers(): void {
  requireCommand('unzip', 'on Debian “apt-get install unzip”', ['-v']);
  requireCommand('7z', 'on Debian “apt-get install p7zip-full”', []);
  requireCommand('python3', 'on Debian “apt-get install python3”');
  requireCommand('bsdtar', 'on Debian “apt-get install libarchive-tools”');
  requireCommand('java', 'on Debian “apt-get install default-jdk-headless”', ['-version']);
}

/** What is in a folder and below it: path, with `/`, → SHA-256. */
export async function contentsOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents: Record<string, string> = {};
  for (const file of files.sort()) {
    const path = relative(folder, file).replaceAll(sep, '/');
    contents[path] = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  }
  return contents;
}

/** `pipefail`: a reader that gives up early must not pass. */
function shell(script: string, ...args: readonly string[]): Promise<string> {
  return run('bash', ['-c', `set -euo pipefail; ${script}`, 'bash', ...args]);
}

function numbersIn(text: string): { entries: number; bytes: number } {
  return countIn(text, /^(?<entries>\d+)\s+(?<bytes>\d+)\s*$/);
}

function countIn(text: string, pattern: RegExp): { entries: number; bytes: number } {
  const found = pattern.exec(text)?.groups;
  if (!found) throw new Error(`No count in: ${text}`);
  return { entries: Number(found['entries']), bytes: Number(found['bytes']) };
}
