import { rm } from 'node:fs/promises';
import { CHANGES_HEADER, type ClassChanges, type Comparison } from '../dataset/changes.ts';
import type { PlannedImage } from '../dataset/plan-types.ts';
import type { KnownImage } from '../dataset/sides.ts';
import type { FoundBroken } from './broken-images.ts';
import { createCsvFile } from './csv-file.ts';
import type { Line } from './line.ts';
import { writeSides } from './sides-file.ts';

/** The files that tell a line of data sets where its images lie and what has changed; none where sides are not kept. */
export interface KeptSides {
  /** Adds images that have their places. @throws DiatomError `DISK` */
  add(images: readonly PlannedImage[]): Promise<void>;
  /**
   * Once all images are in the manifest.
   *
   * @param broken images that are left out of the data set: they keep their sides
   * @throws DiatomError `DISK`
   */
  finish(manifest: string, broken: readonly FoundBroken[]): Promise<void>;
  /** SHA-256 of `changes.csv`, once finished. */
  changesSum(): string;
  /** Removes what is beside the archive, and closes the rest. */
  abort(): Promise<void>;
  /** Of the file beside the archive. */
  readonly sidesPath: string | undefined;
  /** Of `changes.csv`; `undefined` for the first data set of a line, too. */
  readonly changesPath: string | undefined;
  /** Of each class, once finished. */
  changes(): ReadonlyMap<string, ClassChanges> | undefined;
}

/** @throws DiatomError `DISK` */
export async function createKeptSides(
  line: Line | undefined,
  paths: { readonly sides: string; readonly changes: string },
  { isGrouped }: { readonly isGrouped: boolean },
): Promise<KeptSides> {
  const comparison = line?.comparison;
  const file = comparison && (await createCsvFile(paths.changes, CHANGES_HEADER));
  let changesSum = '';
  return {
    async add(images) {
      if (!comparison) return;
      for (const image of images) {
        const rows = comparison.add(comparedImage(image));
        if (rows !== '') await file?.add(rows);
      }
    },
    async finish(manifest, broken) {
      await file?.add(comparison?.rest() ?? '');
      changesSum = (await file?.finish()) ?? '';
      if (line)
        await writeSides(paths.sides, { manifest, broken: broken.map(knownBroken), known: line.known, isGrouped });
    },
    async abort() {
      await file?.abort();
      if (line) await rm(paths.sides, { force: true });
    },
    sidesPath: line && paths.sides,
    changesPath: comparison && paths.changes,
    changes: () => comparison?.classes(),
    changesSum: () => changesSum,
  };
}

/** An image that is not in the data set, and keeps its side for the day on which it returns. */
function knownBroken({ planned, sha256 }: FoundBroken): KnownImage {
  const { image, split, group } = planned;
  return { sha256, crc32: image.crc32, bytes: image.bytes, side: split, group, label: undefined };
}

/** An image as it is compared with those of the data set before. */
export function comparedImage({ image, label, split, fileName }: PlannedImage): Parameters<Comparison['add']>[0] {
  const { crc32, bytes } = image;
  return { crc32, bytes, label, split, path: `${split}/${label}/${fileName}` };
}
