import { createReadStream } from 'node:fs';
import { parseCsv } from '../dataset/csv.ts';
import { MANIFEST_HEADER } from '../dataset/manifest.ts';
import { diskFailure } from '../files/disk-failure.ts';

/**
 * A manifest in pieces of whole lines, each with the header. No line end can be inside of a line: names have none.
 *
 * @throws DiatomError `DISK`
 */
export async function* piecesOfManifest(path: string): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const piece of createReadStream(path, 'utf8')) {
      const text = rest + piece;
      const end = text.lastIndexOf('\n') + 1;
      rest = text.slice(end);
      const lines = text.slice(0, end);
      yield lines.startsWith(MANIFEST_HEADER) ? lines : MANIFEST_HEADER + lines;
    }
  } catch (error) {
    throw diskFailure('read', path, error);
  }
}

/** The rows of the images that are in the data set, in the order of the archive. @throws DiatomError `DISK` */
export async function* rowsOfManifest(path: string): AsyncGenerator<ReadonlyMap<string, string>> {
  for await (const piece of piecesOfManifest(path)) {
    for (const row of parseCsv(piece)) if (row.get('path') !== '') yield row;
  }
}
