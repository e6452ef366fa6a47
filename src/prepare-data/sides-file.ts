import { createReadStream } from 'node:fs';
import type { KnownImages } from '../dataset/known-images.ts';
import { MANIFEST_HEADER } from '../dataset/manifest.ts';
import { type KnownImage, SIDES_HEADER, sidesOfManifest, sidesRow } from '../dataset/sides.ts';
import { createSidesUpdate } from '../dataset/sides-update.ts';
import { diskFailure } from '../disk-failure.ts';
import { createCsvFile } from './csv-file.ts';

/**
 * Writes the sides of a data set and of all before it in its line. The sums of its images are in the manifest, and read
 * from there: kept in memory until then, they would make it grow with the data set.
 *
 * @param options.isGrouped whether its images have been grouped
 * @throws DiatomError `DISK`
 */
export async function writeSides(
  path: string,
  options: {
    readonly manifest: string;
    /** Images that are known and not in the data set. */
    readonly broken: readonly KnownImage[];
    readonly known: KnownImages;
    readonly isGrouped: boolean;
  },
): Promise<void> {
  const update = createSidesUpdate(options.known, options);
  const rows: string[] = [];
  for await (const images of imagesOfManifest(options.manifest)) {
    for (const image of images) for (const row of update.add(image)) rows.push(sidesRow(row));
  }
  for (const image of options.broken) for (const row of update.add(image)) rows.push(sidesRow(row));
  for (const image of update.rest()) rows.push(sidesRow(image));
  rows.sort();
  const file = await createCsvFile(path, SIDES_HEADER);
  try {
    for (const [index, row] of rows.entries()) {
      const flushing = row === rows[index - 1] ? undefined : file.add(row);
      if (flushing) await flushing;
    }
    await file.finish();
  } finally {
    await file.abort();
  }
}

/** The images of a manifest, a piece of it at a time. No line end can be inside of a line: names have none. */
async function* imagesOfManifest(path: string): AsyncGenerator<KnownImage[]> {
  let rest = '';
  try {
    for await (const piece of createReadStream(path, 'utf8')) {
      const text = rest + piece;
      const end = text.lastIndexOf('\n') + 1;
      rest = text.slice(end);
      const lines = text.slice(0, end);
      yield sidesOfManifest(lines.startsWith(MANIFEST_HEADER) ? lines : MANIFEST_HEADER + lines, path);
    }
  } catch (error) {
    throw diskFailure('read', path, error);
  }
}
