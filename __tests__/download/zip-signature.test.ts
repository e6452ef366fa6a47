import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginsLikeZip, endsLikeZip } from '../../src/download/zip-signature.ts';
import { zipLike } from '../helpers/served-zip.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zip-signature-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function ends(data: Buffer): Promise<boolean> {
  const path = join(folder, 'file');
  await writeFile(path, data);
  const file = await open(path);
  try {
    return await endsLikeZip(file, data.length);
  } finally {
    await file.close();
  }
}

function withComment(bytes: number): Buffer {
  const zip = zipLike(100_000);
  zip.writeUInt16LE(bytes, zip.length - 2);
  return Buffer.concat([zip, Buffer.alloc(bytes)]);
}

describe('beginsLikeZip', () => {
  test.each([
    ['PK\x03\x04 and more', true],
    ['PK\x05\x06', true],
    ['PK00PK\x03\x04', true],
    ['<br />\n<b>Warning</b>\nPK\x03\x04', true],
    ['PK\x07\x08', undefined],
    ['<html>', undefined],
    [' '.repeat(4_096 + 3), undefined],
    [' '.repeat(4_096 + 4), false],
    [`${' '.repeat(4_096)}PK\x03\x04`, true],
    [`${' '.repeat(4_097)}PK\x03\x04`, false],
    ['', undefined],
    ['PK', undefined],
  ])('%j: %s', (head, expected) => {
    expect(beginsLikeZip(Buffer.from(head, 'latin1'))).toBe(expected);
  });
});

describe('endsLikeZip', () => {
  test('finds the end record at the very end, and before a comment of up to 64 KiB', async () => {
    expect(await ends(zipLike(100_000))).toBe(true);
    expect(await ends(withComment(10))).toBe(true);
    expect(await ends(withComment(0xffff))).toBe(true);
  });

  test('knows an empty zip', async () => {
    expect(await ends(zipLike(26).subarray(4))).toBe(true);
  });

  test.each([1, 20, 22, 50_000, 99_990])('misses it when the last %i bytes are cut off', async (bytes) => {
    const zip = zipLike(100_000);
    expect(await ends(zip.subarray(0, zip.length - bytes))).toBe(false);
  });

  test('is not taken in by a record whose comment is cut off, nor by one too far from the end', async () => {
    expect(await ends(withComment(1_000).subarray(0, -1))).toBe(false);
    expect(await ends(Buffer.concat([zipLike(100), Buffer.alloc(0x20000)]))).toBe(false);
  });
});
