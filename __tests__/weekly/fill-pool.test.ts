import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openZip } from '../../src/archive/open-zip.ts';
import { startFillPool } from '../../src/prepare-data/fill-pool.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { buildZip } from '../helpers/zip-builder.ts';

/** Terminated, one in some hundred takes the program with it (Node's “close before init”). */
const ENDINGS = 2_000;

test('of thousands of threads that end while they unpack small images, none ends the program', async () => {
  const path = join(temporaryFolder('fill-pool'), 'a.zip');
  const files = Array.from({ length: 500 }, (_, index) => ({ name: `${index}.bmp`, data: `${index} `.repeat(700) }));
  await writeFile(path, buildZip({ entries: files.map((file) => ({ ...file, method: 8 })) }));
  const { entries, close } = await openZip(path, { name: 'a.zip' });
  await close();
  let inTheMiddle = 0;
  for (let ended = 0; ended < ENDINGS; ended += 2) {
    const threads = startFillPool('', 2);
    const zip = { path, name: 'a.zip' };
    await Promise.all([threads.hashes(zip, entries), threads.hashes(zip, entries)]);
    // One message after the other, so that the threads are at work at any moment.
    const work = async (): Promise<void> => {
      for (;;) await threads.hashes(zip, entries);
    };
    const works = Promise.allSettled([work(), work()]);
    await sleep(Math.random() * 20);
    await threads.close();
    inTheMiddle += (await works).filter(({ status }) => status === 'rejected').length;
  }
  expect(inTheMiddle).toBe(ENDINGS);
});
