import { execFile } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflateSync } from 'node:zlib';
import { PNG_SIGNATURE } from '../../src/image/png.ts';
import { chunk } from '../sample/png.ts';

export const ZIPS = 10;

/** The zips’ names without `.zip`; each has a folder of that name in it. */
export const NAMES = Array.from({ length: ZIPS }, (_, index) => `species-${String(index + 1).padStart(2, '0')}`);

/** What `ZIPS` zips hold. */
export interface ImageSet {
  readonly kind: 'png' | 'tiff';
  /** Images in each zip. */
  readonly images: number;
  /** Their mean size; each differs from it by up to a fifth. */
  readonly imageBytes: number;
}

/**
 * Makes zips of images with `zip -6`, the same ones in every run; those that are there already are not made again.
 *
 * @returns the folder with the zips
 */
export async function makeZips(cache: string, set: ImageSet): Promise<string> {
  const folder = join(cache, `${ZIPS}x${set.images}-${set.kind}-${set.imageBytes}`);
  if (existsSync(folder)) return folder;
  console.log(`Making ${describeSet(set)} …`);
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  // Two at a time: zip works on one core.
  for (let start = 0; start < ZIPS; start += 2) {
    await Promise.all(NAMES.slice(start, start + 2).map((name) => makeZip(unfinished, name, set)));
  }
  await rename(unfinished, folder);
  return folder;
}

/** For people: “10,000 images of 100 KB (1.0 GB)”. */
export function describeSet({ kind, images, imageBytes }: ImageSet): string {
  const size = imageBytes < 1e6 ? `${Math.round(imageBytes / 1e3)} KB` : `${imageBytes / 1e6} MB`;
  const count = (ZIPS * images).toLocaleString('en-US');
  return `${count} ${kind === 'png' ? 'PNG' : 'TIFF'} images of ${size} (${(bytesOf({ images, imageBytes }) / 1e9).toFixed(2)} GB)`;
}

/** Of all images together, about. */
export function bytesOf({ images, imageBytes }: Pick<ImageSet, 'images' | 'imageBytes'>): number {
  return ZIPS * images * imageBytes;
}

async function makeZip(folder: string, name: string, { kind, images, imageBytes }: ImageSet): Promise<void> {
  const source = join(folder, name);
  await mkdir(source);
  const noise = createNoise(name);
  const date = new Date('2025-05-01T12:00:00Z');
  const spread = imageBytes * 0.4;
  for (let index = 0; index < images; index++) {
    const bytes = Math.round(imageBytes * 0.8 + ((index * spread * 0.198) % spread));
    const path = join(source, `image-${String(index).padStart(5, '0')}.${kind === 'png' ? 'png' : 'tif'}`);
    await writeFile(path, kind === 'png' ? pngOf(noise, bytes) : tiffOf(noise, bytes));
    await utimes(path, date, date);
  }
  await promisify(execFile)('zip', ['-6', '-q', '-r', '-X', `${name}.zip`, name], { cwd: folder });
  await rm(source, { recursive: true });
}

type Noise = (bytes: number) => Buffer;

/** Bytes that nothing can compress, and that follow from `seed`: the key stream of a cipher. */
export function createNoise(seed: string): Noise {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  return (bytes) => cipher.update(Buffer.alloc(bytes));
}

/**
 * A PNG of colours that are noise, which are stored rather than compressed in it. A fiftieth is a note, as
 * microscopes write beside the pixels: it makes `zip` deflate the file, which it would else only store.
 */
export function pngOf(noise: Noise, bytes: number): Buffer {
  const note = Buffer.from(`Comment\0${'Objective 63x; exposure 12 ms; gain 1.0; '.repeat(50)}`);
  const noteBytes = Math.round(bytes / 50);
  const around = PNG_SIGNATURE.length + 13 + 4 * 12;
  const width = 140;
  const height = Math.floor((bytes - noteBytes - around) / (1 + 3 * width));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // 8 bits a sample, RGB
  const rows = noise(height * (1 + 3 * width));
  for (let row = 0; row < height; row++) rows[row * (1 + 3 * width)] = 0; // not filtered
  const pixels = deflateSync(rows, { level: 0 });
  const parts = [chunk('IHDR', header), chunk('tEXt', note.subarray(0, noteBytes)), chunk('IDAT', pixels)];
  return Buffer.concat([PNG_SIGNATURE, ...parts, chunk('IEND', Buffer.alloc(0))]);
}

/** As cameras write it: grey, one strip of plain bytes, bright with some noise, so that deflating gains about a third. */
export function tiffOf(noise: Noise, bytes: number): Buffer {
  const width = 4_096;
  const height = Math.floor(bytes / width);
  const pixels = noise(width * height);
  for (let index = 0; index < pixels.length; index++) pixels[index] = 180 + ((pixels[index] ?? 0) & 31);
  const short = 3;
  const long = 4;
  const fields: [tag: number, type: number, value: number][] = [
    [256, long, width],
    [257, long, height],
    [258, short, 8], // bits a sample
    [259, short, 1], // not compressed
    [262, short, 1], // black is zero
    [273, long, 0], // where the strip begins, filled in below
    [277, short, 1], // samples a pixel
    [278, long, height], // rows a strip
    [279, long, pixels.length],
  ];
  // Header of 8 bytes, then the directory: a count, 12 bytes a field, and that no other follows (TIFF 6.0, section 2).
  const head = Buffer.alloc(8 + 2 + fields.length * 12 + 4);
  head.write('II*\0', 'latin1');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(fields.length, 8);
  for (const [index, [tag, type, value]] of fields.entries()) {
    const at = 10 + index * 12;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(1, at + 4);
    head.writeUInt32LE(tag === 273 ? head.length : value, at + 8);
  }
  return Buffer.concat([head, pixels]);
}
