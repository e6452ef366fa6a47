import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openZip, type ZipEntry } from '../../src/archive/open-zip.ts';
import { type FillPool, startFillPool } from '../../src/prepare-data/fill-pool.ts';
import { createIdentities } from '../../src/prepare-data/identities.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { buildZip } from '../helpers/zip-builder.ts';

let threads: FillPool;

beforeEach(() => {
  threads = startFillPool('', 1);
});

afterEach(() => threads.close());

async function zipOf(name: string, images: readonly (string | Uint8Array)[], method = 8) {
  const path = join(temporaryFolder('identities'), name);
  const files = images.map((data, index) => ({ name: `${1_000 + index}.png`, data, method }));
  await writeFile(path, buildZip({ entries: files }));
  const { entries, close } = await openZip(path, { name });
  await close();
  return { zip: { path, name }, entries };
}

/** What stands for each image, in order. */
async function numbersOf(
  identities: ReturnType<typeof createIdentities>,
  { zip, entries }: Awaited<ReturnType<typeof zipOf>>,
) {
  const found = await identities.identify(zip, entries);
  return entries.map((entry) => found.get(entry));
}

test('identical images of one zip, or of two, get one number, and others another', async () => {
  const identities = createIdentities(() => true, threads);
  const [a, b] = [await zipOf('a.zip', ['one', 'two', 'one']), await zipOf('b.zip', ['three', 'two'])];
  expect(await numbersOf(identities, a)).toEqual([0, 1, 0]);
  expect(await numbersOf(identities, b)).toEqual([2, 1]);
});

test('more images than one message holds are all told apart', async () => {
  const images = Array.from({ length: 1_100 }, (_, index) => `image ${index % 1_000}`);
  const numbers = await numbersOf(
    createIdentities(() => true, threads),
    await zipOf('a.zip', images),
  );
  expect(numbers).toEqual(images.map((_, index) => index % 1_000));
});

test('an image too large to be held in memory is compared, too', async () => {
  const large = Buffer.alloc(64 * 2 ** 20 + 1);
  const numbers = await numbersOf(
    createIdentities(() => true, threads),
    await zipOf('a.zip', [large, 'x', large], 0),
  );
  expect(numbers).toEqual([0, 1, 0]);
});

test('an image that is like no other by size or CRC-32 gets no number, and is not read', async () => {
  const { zip, entries } = await zipOf('a.zip', ['one', 'two']);
  const [first] = entries;
  // Read as what it is not, it would be a fault.
  const damaged = entries.map((entry) => (entry === first ? entry : { ...entry, method: 0 }));
  const found = await createIdentities((image: ZipEntry) => image === first, threads).identify(zip, damaged);
  expect([...found.keys()]).toEqual([first]);
});

test('a damaged image is named with its zip', async () => {
  const { zip, entries } = await zipOf('a.zip', ['one']);
  const wrong = entries.map((entry) => ({ ...entry, method: 0 }));
  await expect(createIdentities(() => true, threads).identify(zip, wrong)).rejects.toMatchObject({
    code: 'ZIP',
    message: expect.stringContaining('“a.zip” can’t be used: its entry “1000.png”'),
  });
});
