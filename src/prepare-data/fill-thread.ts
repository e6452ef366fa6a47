/**
 * A thread that puts images, and whole files, into the archive: it reads, unpacks, checks and hashes them, deflates what
 * gets smaller by it, writes them to their places, and tells what it found. It waits for the disk at every step, which is
 * fastest for many small files and leaves the main program free for the network.
 */
import { createHash, hash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { imageSize } from 'image-size';
import { deflateEntry } from '../archive/deflate-entry.ts';
import { streamEntry } from '../archive/entry-data.ts';
import { createEntryReader } from '../archive/entry-reader.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { DEFLATED, localHeader, STORED, type WrittenEntry } from '../archive/zip-records.ts';
import { diskFailure } from '../disk-failure.ts';
import { DiatomError } from '../errors.ts';
import { packFailure, type ThreadFailure } from '../thread.ts';

/** What is to be put into the archive, whole and without a gap. */
export type FillJob = ImagesJob | FileJob;

/** Images of one zip. One that is too large to be held in memory is a job of its own. */
export interface ImagesJob {
  readonly kind: 'images';
  readonly zip: { readonly path: string; readonly name: string };
  readonly images: readonly FillImage[];
}

export interface FillImage {
  readonly entry: ZipEntry;
  /** Path in the archive. */
  readonly name: string;
  /** The file that gets it as well. */
  readonly target: string | undefined;
  /** Whether its bytes are asked for. */
  readonly wanted: boolean;
}

/** A file as it is. */
export interface FileJob {
  readonly kind: 'file';
  readonly path: string;
  readonly name: string;
}

/** What an entry of the archive turned out to be. */
export interface Filled extends Omit<WrittenEntry, 'name'> {
  /** Hexadecimal; `''` for a file. */
  readonly sha256: string;
  /** In pixels; `undefined` for bytes that are no image. */
  readonly size: { readonly width: number; readonly height: number } | undefined;
  /** The bytes, when they were asked for. */
  readonly data: Uint8Array | undefined;
}

/** Some entries of a zip. */
export interface ZipPart {
  readonly zip: { readonly path: string; readonly name: string };
  readonly entries: readonly ZipEntry[];
}

/**
 * A job comes first; then, once its length is known and it is its turn, the place in the archive. Or entries are only
 * hashed.
 */
export type FillRequest = { readonly job: FillJob } | { readonly offset: number } | { readonly hash: ZipPart };

export type FillReply =
  | { readonly length: number }
  | { readonly filled: readonly Filled[] }
  /** SHA-256 of each entry, hexadecimal. */
  | { readonly hashes: readonly string[] }
  | { readonly failure: ThreadFailure };

/**
 * An entry larger than this is not held in memory, and so never deflated: it goes to its place in pieces, for which its
 * size in the archive has to be known first.
 */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;

const PIECE_BYTES = 2 ** 20;

/** A job whose length is known. */
interface Prepared {
  readonly length: number;
  write(offset: number): Filled[] | Promise<Filled[]>;
}

const reader = createEntryReader();
/** Entries of the archive, header and data, until they have their place. */
let segment = Buffer.alloc(0);
let archive: number | undefined;
let source: { readonly path: string; readonly file: number } | undefined;
let prepared: Prepared | undefined;

parentPort?.on('message', (request: FillRequest) => {
  answer(request).then(reply, (error: unknown) => reply({ failure: packFailure(error) }));
});

function reply(message: FillReply): void {
  parentPort?.postMessage(message);
}

async function answer(request: FillRequest): Promise<FillReply> {
  if ('job' in request) {
    prepared = prepare(request.job);
    return { length: prepared.length };
  }
  if ('hash' in request) return { hashes: await hashesOf(request.hash) };
  if (!prepared) throw new Error('A place without a job');
  return { filled: await prepared.write(request.offset) };
}

function prepare(job: FillJob): Prepared {
  if (job.kind === 'file') return prepareFile(job);
  const [image] = job.images;
  const isLarge = image && image.entry.bytes > MAX_BUFFERED_BYTES;
  return isLarge ? prepareLarge(job, image) : prepareImages(job);
}

function prepareImages({ zip, images }: ImagesJob): Prepared {
  const most = images.reduce((sum, { entry, name }) => sum + headerLength(name, entry.bytes) + entry.bytes, 0);
  if (segment.length < most) segment = Buffer.allocUnsafeSlow(most);
  const zipFile = openSource(zip.path);
  let end = 0;
  const filled = images.map(({ entry, name, target, wanted }): Filled => {
    const data = onDisk('read', zip.path, () => reader.read(zip.name, zipFile, entry));
    const place = segment.subarray(end + headerLength(name, entry.bytes));
    const deflated = deflateEntry(name, data, place);
    if (deflated === undefined) place.set(data);
    const written = {
      bytes: data.length,
      compressedBytes: deflated ?? data.length,
      method: deflated === undefined ? STORED : DEFLATED,
      crc32: entry.crc32,
      offset: end,
    };
    const header = localHeader({ name: Buffer.from(name), ...written });
    segment.set(header, end);
    end += header.length + written.compressedBytes;
    if (target !== undefined) onDisk('write', target, () => writeFileSync(target, data));
    return {
      ...written,
      sha256: hash('sha256', data, 'hex'),
      size: sizeOf(data),
      data: wanted ? Uint8Array.from(data) : undefined,
    };
  });
  return {
    length: end,
    write(start) {
      writeAt(segment.subarray(0, end), start);
      return filled.map((one) => ({ ...one, offset: start + one.offset }));
    },
  };
}

function prepareLarge({ zip }: ImagesJob, { entry, name, target }: FillImage): Prepared {
  return {
    length: headerLength(name, entry.bytes) + entry.bytes,
    async write(offset) {
      const stored = storedEntry({ ...entry, offset });
      const sum = createHash('sha256');
      let head: Uint8Array | undefined;
      let end = offset + writeAt(localHeader({ name: Buffer.from(name), ...stored }), offset);
      const zipFile = await open(zip.path);
      const output = target === undefined ? undefined : onDisk('write', target, () => openSync(target, 'w'));
      try {
        for await (const piece of streamEntry(zip.name, zipFile, entry)) {
          // The first piece is enough to find width and height in.
          head ??= Uint8Array.from(piece);
          sum.update(piece);
          end += writeAt(piece, end);
          if (output !== undefined) onDisk('write', target ?? '', () => writeFileSync(output, piece));
        }
      } catch (error) {
        throw diskFailure('read', zip.path, error);
      } finally {
        if (output !== undefined) closeSync(output);
        await zipFile.close();
      }
      return [{ ...stored, sha256: sum.digest('hex'), size: head && sizeOf(head), data: undefined }];
    },
  };
}

/** The checksum stands before the data in a zip, and is known after them: the header is written last. */
function prepareFile({ path, name }: FileJob): Prepared {
  const file = openSource(path);
  const bytes = onDisk('read', path, () => statSync(path).size);
  const header = headerLength(name, bytes);
  return {
    length: header + bytes,
    write(offset) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES);
      let [copied, crc] = [0, 0];
      for (;;) {
        const read = onDisk('read', path, () => readSync(file, piece, 0, PIECE_BYTES, copied));
        if (copied + read > bytes || (read === 0 && copied < bytes)) throw changed(path);
        if (read === 0) break;
        const data = piece.subarray(0, read);
        crc = crc32(data, crc);
        writeAt(data, offset + header + copied);
        copied += read;
      }
      const stored = storedEntry({ bytes, crc32: crc, offset });
      writeAt(localHeader({ name: Buffer.from(name), ...stored }), offset);
      return [{ ...stored, sha256: '', size: undefined, data: undefined }];
    },
  };
}

async function hashesOf({ zip, entries }: ZipPart): Promise<string[]> {
  const file = openSource(zip.path);
  const hashes: string[] = [];
  for (const entry of entries) {
    hashes.push(
      entry.bytes > MAX_BUFFERED_BYTES
        ? await hashLarge(zip, entry)
        : hash(
            'sha256',
            onDisk('read', zip.path, () => reader.read(zip.name, file, entry)),
            'hex',
          ),
    );
  }
  return hashes;
}

async function hashLarge({ path, name }: ZipPart['zip'], entry: ZipEntry): Promise<string> {
  const sum = createHash('sha256');
  const file = await open(path);
  try {
    for await (const piece of streamEntry(name, file, entry)) sum.update(piece);
    return sum.digest('hex');
  } catch (error) {
    throw diskFailure('read', path, error);
  } finally {
    await file.close();
  }
}

function storedEntry({ bytes, crc32, offset }: Pick<WrittenEntry, 'bytes' | 'crc32' | 'offset'>) {
  return { bytes, compressedBytes: bytes, method: STORED, crc32, offset };
}

/** Depends on the name, and on whether the sizes need a zip64 field: a deflated entry is small enough to have none. */
function headerLength(name: string, bytes: number): number {
  return localHeader({ name: Buffer.from(name), ...storedEntry({ bytes, crc32: 0, offset: 0 }) }).length;
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
  const path = String(workerData);
  return onDisk('write', path, () => {
    const file = archive ?? openSync(path, 'r+');
    archive = file;
    for (let done = 0; done < data.length; ) {
      done += writeSync(file, data, done, data.length - done, position + done);
    }
    return data.length;
  });
}

function onDisk<T>(action: 'read' | 'write', path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw diskFailure(action, path, error);
  }
}

function sizeOf(data: Uint8Array): { width: number; height: number } | undefined {
  try {
    const { width, height } = imageSize(data);
    return { width, height };
  } catch {
    return undefined;
  }
}

function changed(path: string): DiatomError {
  const advice = 'let nothing write to it, and start again';
  return new DiatomError('DISK', `The file ${path} changed while it was put into the archive: ${advice}.`);
}
