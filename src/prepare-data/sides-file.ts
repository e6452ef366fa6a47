import type { KnownImages } from '../dataset/known-images.ts';
import { type KnownImage, SIDES_HEADER, sidesOfManifest, sidesRow } from '../dataset/sides.ts';
import { createSidesUpdate } from '../dataset/sides-update.ts';
import { createCsvFile } from './csv-file.ts';
import { piecesOfManifest } from './read-manifest.ts';

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
  for await (const piece of piecesOfManifest(options.manifest)) {
    for (const image of sidesOfManifest(piece, options.manifest)) {
      for (const row of update.add(image)) rows.push(sidesRow(row));
    }
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
