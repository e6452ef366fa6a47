import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { imageSize } from 'image-size';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { chooseGallery } from '../dataset/gallery.ts';
import type { DatasetImage } from '../dataset/manifest.ts';
import type { Plan, PlannedImage } from '../dataset/plan.ts';
import { diskFailure } from '../disk-failure.ts';
import { throwIfCancelled } from '../errors.ts';
import { MAX_BUFFERED_BYTES, type Source } from './sources.ts';

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

/** How many images, and how many bytes of them, are unpacked ahead of the one being written. */
const AHEAD_IMAGES = 16;

/** Enough of a large image to find its width and height in. */
const HEAD_BYTES = 1024 * 1024;

/**
 * Puts every image of the plan in its place under `results` and into the archive, in the order of the plan. Each is
 * unpacked once, checked, hashed, and written to both from the same buffer.
 *
 * @param archive where the images go as well
 * @param archivePath the path in the archive of a path below `results`
 */
export async function organise(
  plan: Plan<ZipEntry>,
  sources: readonly Source[],
  options: {
    readonly results: string;
    readonly archive: ArchiveWriter;
    readonly archivePath: (path: string) => string;
    readonly signal: AbortSignal;
    readonly onProgress: (doneBytes: number) => void;
  },
): Promise<Organised> {
  const { results, archive, archivePath, signal, onProgress } = options;
  const gallery = chooseGallery(plan.images);
  const images: DatasetImage[] = [];
  const pictures: Picture[] = [];
  const unreadable: string[] = [];
  let done = 0;

  await makeFolders(plan, results);
  for await (const { planned, source, data } of readAhead(plan.images, sources)) {
    throwIfCancelled(signal);
    const path = `${planned.split}/${planned.label}/${planned.fileName}`;
    const target = join(results, planned.split, planned.label, planned.fileName);
    const stored = data
      ? await storeBuffer(data, target, (buffer) => archive.addBuffer(archivePath(path), buffer))
      : await storeStream(source, planned.image, target, () => archive.addFile(archivePath(path), target));
    const size = sizeOf(stored.head);
    if (size === undefined) unreadable.push(path);
    if (data && gallery.has(planned) && size !== undefined) pictures.push({ planned, data });
    images.push({
      path,
      label: planned.label,
      split: planned.split,
      sha256: stored.sha256,
      bytes: planned.image.bytes,
      width: size?.width,
      height: size?.height,
      sourceZip: source.zipName,
      sourcePath: planned.image.path,
      group: planned.group,
    });
    done += planned.image.bytes;
    onProgress(done);
  }
  return { images, pictures, unreadable };
}

async function makeFolders(plan: Plan, results: string): Promise<void> {
  const folders = new Set(plan.images.map(({ split, label }) => join(results, split, label)));
  for (const folder of folders) {
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw diskFailure('write', folder, error);
    });
  }
}

interface Read {
  readonly planned: PlannedImage<ZipEntry>;
  readonly source: Source;
  /** `undefined` when the image is too large to be held in memory. */
  readonly data: Buffer | undefined;
}

/** Unpacks images in the plan's order, some ahead of the one that is asked for; large ones are left to their reader. */
async function* readAhead(
  planned: readonly PlannedImage<ZipEntry>[],
  sources: readonly Source[],
): AsyncGenerator<Read, void, void> {
  const reads: { bytes: number; read: Promise<Read> }[] = [];
  let next = 0;
  let bytesAhead = 0;
  for (;;) {
    for (; reads.length < AHEAD_IMAGES && (bytesAhead < MAX_BUFFERED_BYTES || reads.length === 0); next++) {
      const item = planned[next];
      const source = item && sources[item.source];
      if (!item || !source) break;
      const buffered = item.image.bytes <= MAX_BUFFERED_BYTES;
      const bytes = buffered ? item.image.bytes : 0;
      const read = (buffered ? source.zip.read(item.image) : Promise.resolve(undefined)).then(
        (data): Read => ({ planned: item, source, data }),
      );
      // A failure is thrown when its turn comes; until then it must not count as unhandled.
      read.catch(() => undefined);
      reads.push({ bytes, read });
      bytesAhead += bytes;
    }
    const first = reads.shift();
    if (!first) return;
    bytesAhead -= first.bytes;
    yield await first.read;
  }
}

interface Stored {
  readonly sha256: string;
  readonly head: Uint8Array;
}

async function storeBuffer(
  data: Buffer,
  target: string,
  addToArchive: (data: Buffer) => Promise<void>,
): Promise<Stored> {
  const writing = writeFile(target, data).catch((error: unknown) => {
    throw diskFailure('write', target, error);
  });
  // Hashed while the disk works.
  const sha256 = createHash('sha256').update(data).digest('hex');
  await Promise.all([writing, addToArchive(data)]);
  return { sha256, head: data };
}

async function storeStream(
  source: Source,
  image: ZipEntry,
  target: string,
  addToArchive: () => Promise<void>,
): Promise<Stored> {
  const hash = createHash('sha256');
  const pieces = async function* () {
    for await (const piece of source.zip.stream(image)) {
      hash.update(piece);
      yield piece;
    }
  };
  await pipeline(pieces, createWriteStream(target)).catch((error: unknown) => {
    throw diskFailure('write', target, error);
  });
  await addToArchive();
  const file = await open(target);
  try {
    const head = Buffer.alloc(Math.min(HEAD_BYTES, image.bytes));
    await file.read(head, 0, head.length, 0);
    return { sha256: hash.digest('hex'), head };
  } finally {
    await file.close();
  }
}

/** Width and height in pixels, `undefined` for bytes that are no image. */
function sizeOf(data: Uint8Array): { width: number; height: number } | undefined {
  try {
    const { width, height } = imageSize(data);
    return { width, height };
  } catch {
    return undefined;
  }
}
