import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createArchive } from '../../src/archive/archive-writer.ts';
import { fillArchive } from '../../src/prepare-data/fill-archive.ts';
import { startFillThreads } from '../../src/prepare-data/fill-threads.ts';
import { requireUnpackers, UNPACKERS } from '../helpers/unpack.ts';

const SIGNAL = new AbortController().signal;

let folder: string;

beforeAll(async () => {
  requireUnpackers();
  folder = await mkdtemp(join(tmpdir(), 'large-archive-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('an archive of more than 65,535 files, which needs zip64, is read to its end by', () => {
  const entries = 66_000;
  const bytesEach = 10;
  const path = () => join(folder, 'many.zip');

  beforeAll(async () => {
    const archive = await createArchive(path());
    for (let index = 0; index < entries; index++) {
      await archive.addBuffer(`results/train/label/${index}.png`, Buffer.alloc(bytesEach, String(index)));
    }
    await archive.finish();
  });

  test.each(Object.entries(UNPACKERS))('%s', async (_, { count }) => {
    expect(await count(path())).toEqual({ entries, bytes: entries * bytesEach });
  });
});

describe('an archive with a file of more than 4 GiB, and one behind it, is read to its end by', () => {
  const largeBytes = 2 ** 32 + 1;
  const path = () => join(folder, 'large.zip');

  beforeAll(async () => {
    // A hole: reads as zeros and takes no room on the disk.
    const source = join(folder, 'zeros');
    const file = await open(source, 'w');
    await file.truncate(largeBytes);
    await file.close();
    const archive = await createArchive(path());
    const threads = startFillThreads(path());
    const job = { kind: 'file', path: source, name: 'downloads/large.zip' } as const;
    for await (const _ of fillArchive(archive, [job], { threads, signal: SIGNAL }));
    await threads.close();
    await archive.addBuffer('results/train/label/1.png', Buffer.from('behind it'));
    await archive.finish();
  });

  test.each(Object.entries(UNPACKERS))('%s', async (_, { count }) => {
    expect(await count(path())).toEqual({ entries: 2, bytes: largeBytes + 9 });
  });
});
