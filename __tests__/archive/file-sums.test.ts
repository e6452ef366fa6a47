import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFileSums, type FileSums } from '../../src/archive/file-sums.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sha256 } from '../helpers/served-zip.ts';

let folder: string;
let sums: FileSums;
beforeEach(() => {
  folder = temporaryFolder('file-sums');
  sums = createFileSums();
});
afterEach(() => sums.close());

async function fileOf(name: string, data: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, data);
  return path;
}

test('more files than there are threads get each its own sum', async () => {
  const all = [0, 1, 2 ** 20, 3 * 2 ** 20 + 7, 500, 2 ** 20 + 1].map((bytes) => randomBytes(bytes));
  const paths = await Promise.all(all.map((data, index) => fileOf(`${index}.zip`, data)));
  expect(await Promise.all(paths.map((path) => sums.sha256(path)))).toEqual(all.map(sha256));
});

test('a file that can’t be read is named, and costs the others nothing', async () => {
  const data = randomBytes(2_000_000);
  const good = await fileOf('good.zip', data);
  const missing = join(folder, 'missing.zip');
  const asked = [missing, good, missing, good, folder].map((path) => sums.sha256(path));
  const outcomes = await Promise.allSettled(asked);
  expect(outcomes).toMatchObject([
    { reason: { code: 'DISK', message: expect.stringContaining(missing) } },
    { value: sha256(data) },
    { reason: { code: 'DISK', message: expect.stringContaining(missing) } },
    { value: sha256(data) },
    { reason: { code: 'DISK', message: expect.stringContaining(folder) } },
  ]);
});

test('nothing begins once it is closed: nobody would end it', async () => {
  const path = await fileOf('a.zip', randomBytes(10));
  await sums.close();
  await expect(sums.sha256(path)).rejects.toThrow('No more sums are made');
});

test('closing ends what is under way, and what waits for a thread, with a failure', async () => {
  const path = await fileOf('large.zip', Buffer.alloc(200 * 2 ** 20));
  const asked = Promise.allSettled(Array.from({ length: 5 }, () => sums.sha256(path)));
  await sums.close();
  const failure = { status: 'rejected', reason: { message: 'A thread ended before its work' } };
  expect(await asked).toMatchObject(Array.from({ length: 5 }, () => failure));
});
