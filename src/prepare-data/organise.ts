import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { chooseGallery } from '../dataset/gallery.ts';
import type { DatasetImage } from '../dataset/manifest.ts';
import type { Plan, PlannedImage } from '../dataset/plan.ts';
import { diskFailure } from '../disk-failure.ts';
import { fillArchive } from './fill-archive.ts';
import type { FillImage, FillJob } from './fill-thread.ts';
import type { DiskSaver } from './low-disk.ts';
import type { Source } from './sources.ts';

/** A picture for the report. */
export interface Picture {
  readonly planned: PlannedImage<ZipEntry>;
  readonly data: Uint8Array;
}

export interface Organised {
  readonly images: readonly DatasetImage[];
  readonly pictures: readonly Picture[];
  /** Paths below results of files that have an image's name and are none. */
  readonly unreadable: readonly string[];
}

/** So many bytes of images, and so many images, are a thread's job: large enough to need few messages. */
const JOB_BYTES = 2 * 2 ** 20;
const JOB_IMAGES = 256;

/**
 * Puts the source zips (where the archive is to hold them) and every image of the plan into the archive, and the images
 * in their places under `results`, in the order of the plan. Each is unpacked once, checked, hashed, and written to both
 * from the same memory.
 *
 * @param archivePath the path in the archive of a path below `results`
 */
export async function organise(
  plan: Plan<ZipEntry>,
  sources: readonly Source[],
  options: {
    /** Where the images go; `undefined` when they go to the archive only. */
    readonly results: string | undefined;
    readonly archive: ArchiveWriter;
    readonly archivePath: (path: string) => string;
    /** Whether the archive gets the source zips too. */
    readonly withSources: boolean;
    /** Frees the disk meanwhile. */
    readonly saver: DiskSaver | undefined;
    readonly signal: AbortSignal;
    readonly onProgress: (doneBytes: number) => void;
  },
): Promise<Organised> {
  const { results, archive, archivePath, withSources, saver, signal, onProgress } = options;
  const gallery = chooseGallery(plan.images);
  const images: DatasetImage[] = [];
  const pictures: Picture[] = [];
  const unreadable: string[] = [];
  let [begun, done] = [0, 0];

  if (results !== undefined) await makeFolders(plan, results);
  const copies = withSources ? sources : [];
  const jobs = async function* (): AsyncGenerator<FillJob> {
    for (const { downloaded, zipName } of copies) {
      yield { kind: 'file', path: (await downloaded()).path, name: `downloads/${zipName}` };
    }
    for (const { source, planned } of batches(plan.images, sources)) {
      const { zipName } = source;
      const { path } = await source.downloaded();
      for (const { image } of planned) begun += image.bytes;
      await saver?.room(begun);
      const fill = planned.map((one): FillImage => {
        const place = pathOf(one);
        return {
          entry: one.image,
          name: archivePath(place),
          target: results === undefined ? undefined : join(results, place),
          wanted: gallery.has(one),
        };
      });
      yield { kind: 'images', zip: { path, name: zipName }, images: fill };
    }
  };
  let copied = 0;
  for await (const filled of fillArchive(archive, jobs(), signal)) {
    if (copied < copies.length) {
      copied++;
      continue;
    }
    for (const { sha256, size, data } of filled) {
      const planned = plan.images[images.length];
      const source = planned && sources[planned.source];
      if (!planned || !source) throw new Error('More images than planned');
      const path = pathOf(planned);
      if (size === undefined) unreadable.push(path);
      else if (data) pictures.push({ planned, data });
      images.push({
        path,
        label: planned.label,
        split: planned.split,
        sha256,
        bytes: planned.image.bytes,
        width: size?.width,
        height: size?.height,
        sourceZip: source.zipName,
        sourcePath: planned.image.path,
        group: planned.group,
      });
      done += planned.image.bytes;
      const isLast = plan.images[images.length]?.source !== planned.source;
      if (saver && isLast) await saver.drop((await source.downloaded()).path);
    }
    onProgress(done);
  }
  return { images, pictures, unreadable };
}

/** Below `results`. */
function pathOf({ split, label, fileName }: PlannedImage): string {
  return `${split}/${label}/${fileName}`;
}

async function makeFolders(plan: Plan, results: string): Promise<void> {
  const folders = new Set(plan.images.map(({ split, label }) => join(results, split, label)));
  for (const folder of folders) {
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw diskFailure('write', folder, error);
    });
  }
}

interface Batch {
  readonly source: Source;
  readonly planned: PlannedImage<ZipEntry>[];
}

/** The images in the plan's order, some of one zip at a time; a large one is alone. */
function* batches(planned: readonly PlannedImage<ZipEntry>[], sources: readonly Source[]): Generator<Batch> {
  let next = 0;
  while (next < planned.length) {
    const first = planned[next];
    const source = first && sources[first.source];
    if (!source) throw new Error('An image without a source');
    const batch: PlannedImage<ZipEntry>[] = [];
    let bytes = 0;
    for (; batch.length < JOB_IMAGES; next++) {
      const one = planned[next];
      if (one?.source !== first.source || (batch.length > 0 && bytes + one.image.bytes > JOB_BYTES)) break;
      batch.push(one);
      bytes += one.image.bytes;
    }
    yield { source, planned: batch };
  }
}
