/**
 * A thread that puts images, and whole files, into the archive: it reads, unpacks, checks and hashes them, deflates what
 * gets smaller by it, writes them to their places, and tells what it found. It waits for the disk at every step, which is
 * fastest for many small files and leaves the main program free for the network.
 */
import { createHash, hash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { imageSize } from 'image-size';
import { deflateEntry } from '../archive/deflate-entry.ts';
import { entryName } from '../archive/entry-name.ts';
import { createEntryReader } from '../archive/entry-reader.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import {
  DEFLATED,
  directoryRecord,
  localHeader,
  localHeaderLength,
  STORED,
  type WrittenEntry,
} from '../archive/zip-records.ts';
import { createSizeCounts } from '../dataset/image-sizes.ts';
import { LEFT_OUT, type ListedImage, manifestLine } from '../dataset/manifest.ts';
import { extensionOf } from '../dataset/select-images.ts';
import type { Split } from '../dataset/split.ts';
import { DiatomError } from '../errors.ts';
import { onDisk } from '../files/disk-failure.ts';
import { bytesInMemory, bytesOfFile } from '../image/image-bytes.ts';
import { imageFault } from '../image/image-fault.ts';
import { tiffSize } from '../image/tiff.ts';
import { answerRequests, startData, throwIfEnding } from '../parallel/thread-program.ts';
import { createFileBatch, type FileBatch } from './file-batch.ts';
import { unpack, unpackLarge } from './large-image.ts';
import { type FillImage, type PackedImages, unpackImages } from './packed-images.ts';

/** What is to be put into the archive, whole and without a gap. */
export type FillJob = ImagesJob | FileJob;

/** Images of one zip. One that is too large to be held in memory is a job of its own. */
export interface ImagesJob {
  readonly kind: 'images';
  readonly zip: { readonly path: string; readonly name: string };
  readonly label: string;
  readonly images: PackedImages;
  /** What their paths in the archive begin with, before the split: `''`, or a folder with its slash. */
  readonly archiveFolder: string;
  /** The folder with those of the splits and labels, which get them as well; `undefined` for none. */
  readonly results: string | undefined;
  readonly brokenImages: BrokenImages;
  /** Whether all of its images are asked for, to be looked at. */
  readonly looks: boolean;
}

/** What becomes of images that are no whole ones: see the input `broken-images`. */
export type BrokenImages = 'leave-out' | 'keep' | 'error';

/** An image that is no whole one. */
export interface BrokenImage {
  /** Its place among the images of the job. */
  readonly index: number;
  /** The rest of “it …”. */
  readonly fault: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** A file as it is. */
export interface FileJob {
  readonly kind: 'file';
  readonly path: string;
  /** Path in the archive. */
  readonly name: string;
  /** What it has to be, hexadecimal: somebody else may write to the same folder. */
  readonly sha256?: string | undefined;
}

/** What a job has put into the archive. */
export interface Filled {
  readonly entries: number;
  /** Of the images, unpacked. */
  readonly bytes: number;
  /** For the archive's directory. */
  readonly records: Uint8Array;
  /** The lines of the images. */
  readonly manifest: string;
  /** Paths below `results` of what is named like an image but is not one. */
  readonly unreadable: readonly string[];
  /** Those of the images that are broken; where they are left out, they are in the manifest and nowhere else. */
  readonly broken: readonly BrokenImage[];
  /** The images that were asked for. */
  readonly pictures: readonly Picture[];
  /** How many images have which size: see `sizeBins`. */
  readonly sizes: readonly number[];
  /** All images that are in their places, where they were asked for. */
  readonly files: FileBatch | undefined;
}

/** A picture for the report. */
export interface Picture {
  readonly label: string;
  readonly split: Split;
  readonly fileName: string;
  /** The image file; `undefined` of one that is too large to be held. */
  readonly data: Uint8Array | undefined;
}

/** Some entries of a zip. */
export interface ZipPart {
  readonly zip: { readonly path: string; readonly name: string };
  readonly entries: readonly ZipEntry[];
}

/**
 * A job comes first; then, once its length is known and it is its turn, the place in the archive. Or entries are only
 * hashed, or read.
 */
export type FillRequest =
  | { readonly job: FillJob }
  | { readonly offset: number }
  | { readonly hash: ZipPart }
  | { readonly read: ZipPart };

export type FillReply =
  | { readonly length: number }
  | { readonly filled: Filled }
  /** SHA-256 of each entry, hexadecimal. */
  | { readonly hashes: readonly string[] }
  | { readonly files: FileBatch };

/**
 * An entry larger than this is not held in memory, and so never deflated: it goes to its place in pieces, for which its
 * size in the archive has to be known first.
 */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

const PIECE_BYTES = 2 ** 20;

/** A larger file that is no image is copied as it is: deflating text takes longer than sending it does. */
const MAX_DEFLATED_FILE = 2 ** 20;

/** A job whose length is known. */
interface Prepared {
  readonly length: number;
  write(offset: number): Filled;
}

/** What becomes an entry. */
interface Unpacked extends Pick<WrittenEntry, 'name' | 'crc32'> {
  readonly fileName: string;
  readonly data: Uint8Array;
}

const reader = createEntryReader();
/** Entries of the archive, header and data, until they have their place. */
let segment = Buffer.alloc(0);
let archive: number | undefined;
let source: { readonly path: string; readonly file: number } | undefined;
let prepared: Prepared | undefined;

answerRequests<FillRequest, FillReply>(answer, (reply) => {
  const files = 'filled' in reply ? reply.filled.files : 'files' in reply ? reply.files : undefined;
  return files ? [files.data.buffer] : [];
});

async function answer(request: FillRequest): Promise<FillReply> {
  if ('job' in request) {
    prepared = await prepare(request.job);
    return { length: prepared.length };
  }
  if ('hash' in request) return { hashes: await hashesOf(request.hash) };
  if ('read' in request) return { files: readFiles(request.read) };
  if (!prepared) throw new Error('A place without a job');
  return { filled: prepared.write(request.offset) };
}

function prepare(job: FillJob): Prepared | Promise<Prepared> {
  if (job.kind === 'file') return prepareFile(job);
  const [first] = unpackImages(job.images);
  if (!first || first.image.bytes <= MAX_BUFFERED_BYTES) return prepareImages(job);
  if (job.images.paths.length > 1) throw new Error('A large image has to be alone in its job');
  return prepareLarge(job, first);
}

function prepareImages(job: ImagesJob): Prepared {
  const { zip } = job;
  const zipFile = openSource(zip.path);
  const findings = createFindings(job);
  const entries: WrittenEntry[] = [];
  let end = 0;
  let index = 0;
  for (const image of unpackImages(job.images)) {
    throwIfEnding();
    const { path, name, target } = placeOf(image, job);
    const data = onDisk('read', zip.path, () => reader.read(zip.name, zipFile, image.image));
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

/** Puts an entry, header and data, into the segment. */
function packEntry(offset: number, { name, fileName, data, crc32 }: Unpacked): WrittenEntry {
  const start = offset + storedLength(name, 0);
  if (segment.length < start + data.length) {
    const larger = Buffer.allocUnsafeSlow(Math.ceil((start + data.length) / 2 ** 20) * 2 ** 20);
    larger.set(segment.subarray(0, offset));
    segment = larger;
  }
  const room = segment.subarray(start);
  const deflated = deflateEntry(fileName, data, room);
  if (deflated === undefined) room.set(data);
  const entry = {
    name,
    bytes: data.length,
    compressedBytes: deflated ?? data.length,
    method: deflated === undefined ? STORED : DEFLATED,
    crc32,
    offset,
  };
  segment.set(localHeader(entry), offset);
  return entry;
}

/** Writes the segment to its place. @returns its entries, with their offsets in the archive */
function writeSegment(entries: readonly WrittenEntry[], length: number, start: number): WrittenEntry[] {
  writeAt(segment.subarray(0, length), start);
  return entries.map((entry) => ({ ...entry, offset: start + entry.offset }));
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
      const entry = storedEntry({ name, bytes, crc32, offset });
      const start = offset + writeAt(localHeader(entry), offset);
      if (copyFile({ ...unpacked, bytes }, start) !== crc32) throw changed(unpacked.path);
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

function prepareFile(job: FileJob): Prepared {
  const bytes = onDisk('read', job.path, () => statSync(job.path).size);
  return bytes <= MAX_DEFLATED_FILE ? prepareSmallFile(job) : prepareLargeFile(job, bytes);
}

function prepareSmallFile({ path, name, sha256 }: FileJob): Prepared {
  const data = onDisk('read', path, () => readFileSync(path));
  if (sha256 !== undefined && hash('sha256', data, 'hex') !== sha256) throw changed(path);
  const nameBytes = entryName(name);
  const entry = packEntry(0, { name: nameBytes, fileName: name, data, crc32: crc32(data) });
  const length = storedLength(nameBytes, entry.compressedBytes);
  return { length, write: (start) => filledFile(writeSegment([entry], length, start)) };
}

/** The checksum stands before the data in a zip, and is known after them: the header is written last. */
function prepareLargeFile({ path, name, sha256 }: FileJob, bytes: number): Prepared {
  const file = openSource(path);
  const nameBytes = entryName(name);
  const header = storedLength(nameBytes, bytes) - bytes;
  return {
    length: header + bytes,
    write(offset) {
      const sum = sha256 === undefined ? undefined : createHash('sha256');
      const crc = copyFile({ file, path, bytes }, offset + header, (piece) => sum?.update(piece));
      if (sum && sum.digest('hex') !== sha256) throw changed(path);
      const entry = storedEntry({ name: nameBytes, bytes, crc32: crc, offset });
      writeAt(localHeader(entry), offset);
      return filledFile([entry]);
    },
  };
}

/**
 * Copies a file of so many bytes to a place in the archive, a piece at a time.
 *
 * @returns its CRC-32
 */
function copyFile(
  { file, path, bytes }: { readonly file: number; readonly path: string; readonly bytes: number },
  position: number,
  onPiece?: (piece: Uint8Array) => void,
): number {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let [copied, crc] = [0, 0];
  for (;;) {
    throwIfEnding();
    const read = onDisk('read', path, () => readSync(file, piece, 0, PIECE_BYTES, copied));
    if (copied + read > bytes || (read === 0 && copied < bytes)) throw changed(path);
    if (read === 0) return crc;
    const data = piece.subarray(0, read);
    crc = crc32(data, crc);
    onPiece?.(data);
    writeAt(data, position + copied);
    copied += read;
  }
}

function filledFile(entries: readonly WrittenEntry[]): Filled {
  const nothing = { manifest: '', unreadable: [], broken: [], pictures: [], sizes: [], files: undefined };
  return { entries: 1, bytes: 0, records: recordsOf(entries), ...nothing };
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

function readFiles({ zip, entries }: ZipPart): FileBatch {
  const file = openSource(zip.path);
  const held = entries.filter(({ bytes }) => bytes <= MAX_BUFFERED_BYTES);
  const files = createFileBatch(held.reduce((sum, { bytes }) => sum + bytes, 0));
  for (const entry of entries) {
    throwIfEnding();
    const isHeld = entry.bytes <= MAX_BUFFERED_BYTES;
    files.add(isHeld ? onDisk('read', zip.path, () => reader.read(zip.name, file, entry)) : undefined);
  }
  return files.batch();
}

/** In memory of its own: of a small buffer all the memory that it shares with others would be sent. */
function recordsOf(entries: readonly WrittenEntry[]): Uint8Array {
  return new Uint8Array(Buffer.concat(entries.map(directoryRecord)));
}

async function hashesOf({ zip, entries }: ZipPart): Promise<string[]> {
  const file = openSource(zip.path);
  const hashes: string[] = [];
  for (const entry of entries) {
    throwIfEnding();
    hashes.push(
      entry.bytes > MAX_BUFFERED_BYTES
        ? await unpack(zip, entry, () => undefined)
        : hash(
            'sha256',
            onDisk('read', zip.path, () => reader.read(zip.name, file, entry)),
            'hex',
          ),
    );
  }
  return hashes;
}

function storedEntry(entry: Omit<WrittenEntry, 'compressedBytes' | 'method'>): WrittenEntry {
  return { ...entry, compressedBytes: entry.bytes, method: STORED };
}

/** Of header and data. An entry that is deflated is small enough for a header of the same length. */
function storedLength(name: Buffer, bytes: number): number {
  return localHeaderLength({ name, bytes, compressedBytes: bytes }) + bytes;
}

/** Requests come about one source after the other, so one open source is enough. */
function openSource(path: string): number {
  if (source?.path === path) return source.file;
  if (source) closeSync(source.file);
  source = undefined;
  const file = onDisk('read', path, () => openSync(path, 'r'));
  source = { path, file };
  return file;
}

/** @returns how many bytes it wrote: all of them */
function writeAt(data: Uint8Array, position: number): number {
  const path = startData<string>();
  return onDisk('write', path, () => {
    const file = archive ?? openSync(path, 'r+');
    archive = file;
    for (let done = 0; done < data.length; ) {
      done += writeSync(file, data, done, data.length - done, position + done);
    }
    return data.length;
  });
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

function changed(path: string): DiatomError {
  const advice = 'let nothing write to it, and start again';
  return new DiatomError('DISK', `The file ${path} changed before it was in the archive: ${advice}.`);
}
