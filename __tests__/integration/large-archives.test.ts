import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createArchive } from '../../src/archive/archive-writer.ts';
import { openZip } from '../../src/archive/open-zip.ts';
import { fillArchive } from '../../src/prepare-data/archive-jobs.ts';
import { startFillPool } from '../../src/prepare-data/fill-pool.ts';
import { type FillImage, packImages } from '../../src/prepare-data/packed-images.ts';
import type { FillJob } from '../../src/prepare-data/thread-jobs.ts';
import { addEntries } from '../helpers/archive-entries.ts';
import { requireUnpackers, UNPACKERS } from '../helpers/unpack.ts';
import { buildZip } from '../helpers/zip-builder.ts';

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
    await addEntries(
      archive,
      Array.from({ length: entries }, (_, index) => ({
        name: `results/train/label/${index}.png`,
        data: Buffer.alloc(bytesEach, String(index)),
      })),
    );
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
    const threads = startFillPool(path(), 1);
    const job = { kind: 'file', path: source, name: 'downloads/large.zip' } as const;
    await fillArchive(archive, [job], { threads, signal: SIGNAL });
    await threads.close();
    await addEntries(archive, [{ name: 'results/train/label/1.png', data: Buffer.from('behind it') }]);
    await archive.finish();
  });

  test.each(Object.entries(UNPACKERS))('%s', async (_, { count }) => {
    expect(await count(path())).toEqual({ entries: 2, bytes: largeBytes + 9 });
  });
});

describe('an archive with deflated files, between stored ones, is read to its end by', () => {
  const sizes = [2_000, 300_000, 5_000_000];
  const text = Buffer.from('path,label,split\n'.repeat(5_000));
  const png = Buffer.alloc(1_000, 'stored, by its name');
  const path = () => join(folder, 'deflated.zip');

  beforeAll(async () => {
    const source = join(folder, 'source.zip');
    const images = sizes.flatMap((bytes, index) => [
      // Grey with some noise, as of a camera; the largest is deflated in pieces.
      { name: `${index}.bmp`, data: randomBytes(bytes).map((byte) => 180 + (byte & 15)) },
      { name: `${index}.png`, data: png },
    ]);
    await writeFile(source, buildZip({ entries: images }));
    const zip = await openZip(source, { name: 'source.zip' });
    await zip.close();
    const archive = await createArchive(path());
    const fill = zip.entries.map((image): FillImage => {
      return { image, split: 'train', fileName: image.path, group: undefined, wanted: false };
    });
    const job: FillJob = {
      kind: 'images',
      zip: { path: source, name: 'source.zip' },
      label: 'label',
      images: packImages(fill),
      archiveFolder: 'results/',
      brokenImages: 'keep',
      looks: false,
      results: undefined,
    };
    const threads = startFillPool(path(), 1);
    const manifest = join(folder, 'manifest.csv');
    await writeFile(manifest, text);
    const manifestJob = { kind: 'file', path: manifest, name: 'results/manifest.csv' } as const;
    await fillArchive(archive, [job, manifestJob], { signal: SIGNAL, threads });
    await threads.close();
    const facts = await archive.finish();
    expect(facts.bytes).toBeLessThan(4_000_000);
    const filled = await openZip(path(), { name: 'deflated.zip' });
    await filled.close();
    const inFileOrder = filled.entries.toSorted((a, b) => a.headerOffset - b.headerOffset);
    expect(inFileOrder.map(({ method }) => method)).toEqual([8, 0, 8, 0, 8, 0, 8]);
  });

  test.each(Object.entries(UNPACKERS))('%s', async (_, { count }) => {
    const bytes = sizes.reduce((sum, size) => sum + size, 0) + sizes.length * png.length + text.length;
    expect(await count(path())).toEqual({ entries: 7, bytes });
  });
});
