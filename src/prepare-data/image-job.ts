/** How a thread puts the images of a zip into the archive: it unpacks, checks and hashes them, and says what it found. */
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageSize } from 'image-size';
import { entryName } from '../archive/entry-name.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import type { WrittenEntry } from '../archive/zip-records.ts';
import { createSizeCounts } from '../dataset/image-sizes.ts';
import { LEFT_OUT, type ListedImage, manifestLine } from '../dataset/manifest.ts';
import { extensionOf } from '../dataset/select-images.ts';
import { DiatomError } from '../errors.ts';
import { onDisk } from '../files/disk-failure.ts';
import { bytesInMemory, bytesOfFile } from '../image/image-bytes.ts';
import { imageFault } from '../image/image-fault.ts';
import { tiffSize } from '../image/tiff.ts';
import { startData, throwIfEnding } from '../parallel/thread-program.ts';
import { createFileBatch } from './file-batch.ts';
import { unpackLarge } from './large-image.ts';
import { type FillImage, type PackedImages, unpackImages } from './packed-images.ts';
import { MAX_BUFFERED_BYTES, readEntry } from './read-entries.ts';
import type { BrokenImage, Filled, ImagesJob, Picture, Prepared } from './thread-jobs.ts';
import { changed, copyEntry, PIECE_BYTES, packEntry, recordsOf, storedLength, writeSegment } from './write-entries.ts';

/** @throws DiatomError `DATA_SET` for a broken image, where that is an error; what reading and writing throws */
export function prepareImagesJob(job: ImagesJob): Prepared | Promise<Prepared> {
  const [first] = unpackImages(job.images);
  if (!first || first.image.bytes <= MAX_BUFFERED_BYTES) return prepareImages(job);
  if (job.images.paths.length > 1) throw new Error('A large image has to be alone in its job');
  return prepareLarge(job, first);
}

function prepareImages(job: ImagesJob): Prepared {
  const { zip } = job;
  const findings = createFindings(job);
  const entries: WrittenEntry[] = [];
  let end = 0;
  let index = 0;
  for (const image of unpackImages(job.images)) {
    throwIfEnding();
    const { path, name, target } = placeOf(image, job);
    const data = readEntry(zip, image.image);
    const fault = imageFault(bytesInMemory(asBuffer(data)), extensionOf(image.image.path));
    if (fault !== undefined && job.brokenImages === 'error') throw brokenImage(zip.name, image.image.path, fault);
    const sum = hash('sha256', data, 'hex');
    if (fault !== undefined) findings.addBroken(image, { index, fault, sha256: sum });
    index++;
    if (fault !== undefined && job.brokenImages === 'leave-out') continue;
    const entry = packEntry(end, { name, fileName: image.fileName, data, crc32: image.image.crc32 });
    entries.push(entry);
    end += storedLength(name, 0) + entry.compressedBytes;
    if (target !== undefined) onDisk('write', target, () => writeFileSync(target, data));
    findings.add(image, { path, sha256: sum, size: sizeOf(data), data, fault });
  }
  return { length: end, write: (start) => findings.filled(writeSegment(entries, end, start)) };
}

/** A large image is unpacked to the disk before it gets its place, as one that is broken gets none. */
async function prepareLarge(job: ImagesJob, image: FillImage): Promise<Prepared> {
  const { zip, brokenImages } = job;
  const { path, name, target } = placeOf(image, job);
  const { bytes, crc32 } = image.image;
  const unpacked = await unpackLarge(zip, image.image, { target, beside: startData() });
  const { fault, size } = onDisk('read', unpacked.path, () => lookAt(unpacked.file, image.image));
  const findings = createFindings(job);
  if (fault !== undefined) findings.addBroken(image, { index: 0, fault, sha256: unpacked.sha256 });
  if (fault !== undefined && brokenImages !== 'keep') {
    unpacked.remove();
    if (brokenImages === 'error') throw brokenImage(zip.name, image.image.path, fault);
    return { length: 0, write: () => findings.filled([]) };
  }
  findings.add(image, { path, sha256: unpacked.sha256, size, data: undefined, fault });
  return {
    length: storedLength(name, bytes),
    write(offset) {
      const entry = copyEntry({ ...unpacked, bytes }, { name, offset });
      if (entry.crc32 !== crc32) throw changed(unpacked.path);
      unpacked.close();
      return findings.filled([entry]);
    },
  };
}

/** What is seen of an image without more of it in memory than a piece. */
function lookAt(file: number, { path, bytes }: ZipEntry) {
  const content = bytesOfFile(file, bytes);
  const fault = imageFault(content, extensionOf(path));
  return { fault, size: sizeOf(content.slice(0, PIECE_BYTES)) ?? tiffSize(content) };
}

/** Where an image goes: its path below `results`, its name in the archive, and the file that gets it as well. */
function placeOf({ split, fileName }: FillImage, { label, archiveFolder, results }: ImagesJob) {
  const path = `${split}/${label}/${fileName}`;
  return {
    path,
    name: entryName(archiveFolder + path),
    target: results === undefined ? undefined : join(results, path),
  };
}

/** What was found of an image that is in its place. */
interface FoundImage {
  /** Below `results`. */
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly size: Size | undefined;
  /** `undefined` of one that is too large to be held. */
  readonly data: Uint8Array | undefined;
  readonly fault: string | undefined;
}

/** Collects what is to be said about the images of a job. */
function createFindings({ label, zip, brokenImages, looks, images }: ImagesJob) {
  let [manifest, bytes] = ['', 0];
  const files = looks ? createFileBatch(bytesOf(images)) : undefined;
  const unreadable: string[] = [];
  const broken: BrokenImage[] = [];
  const pictures: Picture[] = [];
  const sizes = createSizeCounts();
  const line = (
    { image, group }: FillImage,
    rest: Pick<ListedImage, 'path' | 'split' | 'sha256' | 'fault'>,
    size?: Size,
  ) => {
    const { width, height } = size ?? {};
    const of = { sourceZip: zip.name, sourcePath: image.path, group, crc32: image.crc32 };
    return manifestLine({ label, bytes: image.bytes, width, height, ...of, ...rest });
  };
  return {
    addBroken(image: FillImage, found: BrokenImage) {
      broken.push(found);
      if (brokenImages !== 'leave-out') return;
      manifest += line(image, { path: '', split: LEFT_OUT, sha256: found.sha256, fault: found.fault });
      bytes += image.image.bytes;
    },
    add(one: FillImage, { path, sha256, size, data, fault }: FoundImage) {
      const { image, split, fileName, wanted } = one;
      manifest += line(one, { path, split, sha256, fault }, size);
      bytes += image.bytes;
      files?.add(data);
      if (size) sizes.add(size);
      else if (fault === undefined) unreadable.push(path);
      if (size && wanted) pictures.push({ label, split, fileName, data: data && Uint8Array.from(data) });
    },
    filled: (entries: readonly WrittenEntry[]): Filled => ({
      entries: entries.length,
      bytes,
      records: recordsOf(entries),
      manifest,
      unreadable,
      broken,
      pictures,
      sizes: sizes.counts,
      files: files?.batch(),
    }),
  };
}

/** Of what can be held in memory. */
function bytesOf(images: PackedImages): number {
  let sum = 0;
  for (const { image } of unpackImages(images)) if (image.bytes <= MAX_BUFFERED_BYTES) sum += image.bytes;
  return sum;
}

/** In pixels. */
interface Size {
  readonly width: number;
  readonly height: number;
}

/** `undefined` for bytes that are no image. */
function sizeOf(data: Uint8Array): Size | undefined {
  try {
    const { width, height } = imageSize(data);
    return { width, height };
  } catch {
    return undefined;
  }
}

function brokenImage(zip: string, path: string, fault: string): DiatomError {
  return new DiatomError(
    'DATA_SET',
    `${zip}: the image ${path} ${fault}. Replace it or take it out of the zip, or set broken-images: leave-out.`,
  );
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
