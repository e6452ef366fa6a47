import { execFile } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';

export const ZIPS = 10;

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** What microscopes write beside the pixels. It makes `zip` deflate the file, which it would else only store. */
const NOTE = `Comment\0${'Objective 63x; exposure 12 ms; gain 1.0; '.repeat(40)}`;

/**
 * Makes zips of images with `zip -6`, in all about `bytes` bytes: each image of 80 to 120 KB has the outside of a PNG, and
 * inside what looks like noise, as the compressed pixels of a PNG do. The images are the same in every run. Zips that
 * are there already are not made again.
 *
 * @returns the folder with `species-01.zip` …, each with a folder of that name in it
 */
export async function makeZips(cache: string, bytes: number): Promise<string> {
  const folder = join(cache, `zips-${bytes}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  const numbers = Array.from({ length: ZIPS }, (_, index) => index + 1);
  // Two at a time: zip works on one core.
  for (const pair of [0, 2, 4, 6, 8].map((start) => numbers.slice(start, start + 2))) {
    await Promise.all(pair.map((number) => makeZip(unfinished, number, bytes / ZIPS)));
  }
  await rename(unfinished, folder);
  return folder;
}

async function makeZip(folder: string, number: number, bytes: number): Promise<void> {
  const name = `species-${String(number).padStart(2, '0')}`;
  const images = join(folder, name);
  await mkdir(images);
  const noise = createNoise(name);
  const date = new Date('2025-05-01T12:00:00Z');
  for (let index = 0, written = 0; written < bytes; index++) {
    const image = pngLike(noise, 80_000 + ((index * 7_919) % 40_000));
    const path = join(images, `image-${String(index).padStart(5, '0')}.png`);
    await writeFile(path, image);
    await utimes(path, date, date);
    written += image.length;
  }
  await promisify(execFile)('zip', ['-6', '-q', '-r', '-X', `${name}.zip`, name], { cwd: folder });
  await rm(images, { recursive: true });
}

type Noise = (bytes: number) => Buffer;

/** Bytes that nothing can compress, and that follow from `seed`: the key stream of a cipher. */
function createNoise(seed: string): Noise {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  return (bytes) => cipher.update(Buffer.alloc(bytes));
}

function pngLike(noise: Noise, bytes: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(140, 0);
  header.writeUInt32BE(240, 4);
  header.set([8, 2], 8); // 8 bits a sample, RGB
  const parts = [chunk('IHDR', header), chunk('tEXt', Buffer.from(NOTE)), chunk('IDAT', noise(bytes))];
  return Buffer.concat([SIGNATURE, ...parts, chunk('IEND', Buffer.alloc(0))]);
}

/** A PNG chunk: length, type, data, CRC-32 of type and data (PNG specification, 5.3). */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
