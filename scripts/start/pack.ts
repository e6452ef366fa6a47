import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { parseFileList, takesEveryFolder } from '../../src/dataset/file-list.ts';
import { formatNTest } from '../../src/dataset/n-test.ts';
import { gatherZips } from '../../src/dataset/one-zip.ts';

/** What a secret can hold (docs.github.com, “Secrets reference”). */
const MAX_SECRET_BYTES = 48 * 1024;

export interface PackedList {
  /** Base64 of gzip of the list as JSON: one line for a secret. */
  readonly line: string;
  /** What is to be said about it. */
  readonly note: string;
}

/**
 * Checks a file list and makes the one line of it that goes into a secret.
 *
 * @throws DiatomError `FILE_LIST` with all faults of the list; what reading the file throws
 */
export async function packFileList(path: string): Promise<PackedList> {
  return packList(await readFile(path), path);
}

/** The same for a list that is read already; `where` is its name in errors. */
export function packList(text: string | Uint8Array, where: string): PackedList {
  const list = parseFileList(text, where);
  const zips = new Set(gatherZips(list).map(({ downloadedFileName }) => downloadedFileName)).size;
  const entries = list.map((entry) => ({
    file_url: entry.fileUrl,
    downloaded_file_name: entry.downloadedFileName,
    exploded_folder_name: entry.explodedFolderName,
    species_label: entry.speciesLabel,
    classes: entry.classes && Object.fromEntries(entry.classes),
    sha256: entry.sha256,
    n_test: entry.nTest && formatNTest(entry.nTest),
    um_per_pixel: entry.umPerPixel,
  }));
  const line = gzipSync(JSON.stringify(entries), { level: 9 }).toString('base64');
  const every = list.some(takesEveryFolder);
  const labels = new Set(list.filter((entry) => !takesEveryFolder(entry)).map(({ speciesLabel }) => speciesLabel)).size;
  const others = every ? ', and one for every other folder' : '';
  const found = `${zips === 1 ? '1 zip' : `${zips} zips`}, ${labels === 1 ? '1 label' : `${labels} labels`}${others}. `;
  const advice =
    line.length <= MAX_SECRET_BYTES
      ? 'Copy this line into the secret FILE_LIST. It holds the addresses: whoever sees it can use them.'
      : `This line has ${line.length} bytes, and a secret holds ${MAX_SECRET_BYTES}: put the list into a private repository as a file and give its path as file-list-path, or split it over several data sets.`;
  return { line, note: found + advice };
}
