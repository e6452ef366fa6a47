import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCsv } from '../../src/dataset/csv.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { contentsOf, errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { bmp, IMAGES } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const LEAVE_OUT = { 'broken-images': 'leave-out', upload: 'false' };

/** Of the tiny data set, one image is a text. */
const FAULT = 'is a text (“no picture”)';

test('a broken image is in neither results nor archive, and is listed in summary, report and manifest', async () => {
  const { run, workspace } = await prepareDataFixture();
  const { exitCode, outputs, summary, stdout } = await run({ ...LEAVE_OUT, split: 'keep' });
  expect(exitCode).toBe(0);
  const counts = [outputs['train-count'], outputs['test-count']].map(Number);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(IMAGES - 1);
  const results = join(workspace, 'data', 'results');
  const names = [...filesBelow(results), ...(await contentsOf(outputs['archive-path'] ?? '')).keys()];
  expect(names.filter((name) => name.includes('broken'))).toEqual([]);

  expect(stdout).toContain(
    `::warning::1 broken image is left out. gomphonema.zip: export/Gomphonema/s1_broken.png ${FAULT}`,
  );
  expect(summary).toContain(`| broken image | 1 | gomphonema.zip: export/Gomphonema/s1\\_broken.png ${FAULT} |`);
  expect(readFileSync(join(results, 'report.html'), 'utf8')).toContain(`export/Gomphonema/s1_broken.png ${FAULT}`);
  const manifest = parseCsv(readFileSync(join(results, 'manifest.csv'), 'utf8')).map((row) => Object.fromEntries(row));
  expect(manifest.filter(({ fault }) => fault !== '')).toMatchObject([
    { path: '', label: 'Gomphonema', split: 'left-out', source_path: 'export/Gomphonema/s1_broken.png', fault: FAULT },
  ]);
  // It keeps its side for the day on which it returns.
  const sides = parseCsv(readFileSync(`${outputs['archive-path']}.sides.csv`, 'utf8'));
  expect(sides).toHaveLength(new Set(manifest.map(({ sha256 }) => sha256)).size);
  expect(sides.filter((row) => row.get('label') === '')).toHaveLength(1);
});

test('broken-images: error ends the run with the zip, the image and what is wrong with it', async () => {
  const { run } = await prepareDataFixture();
  expect(errorOf(await run({ upload: 'false', 'broken-images': 'error' }))).toBe(
    `gomphonema.zip: the image export/Gomphonema/s1_broken.png ${FAULT}. Replace it or take it out of the zip, or set broken-images: leave-out.`,
  );
});

test('a label of which many images are broken is named', async () => {
  const { run, replaceZip } = await prepareDataFixture();
  const half = Array.from({ length: 20 }, (_, index) => ({
    name: `Hannaea/${index}.bmp`,
    data: index % 2 === 0 ? bmp(index) : bmp(index).subarray(0, 60),
  }));
  replaceZip('hannaea-1.zip', buildZip({ entries: half }));
  const { exitCode, stdout } = await run(LEAVE_OUT);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('::warning::The label “Hannaea”: 10 of its 29 images are broken.');
});

test('a label of which no whole image is left to train with is an error', async () => {
  const { run, replaceZip, uploaded } = await prepareDataFixture();
  const cut = Array.from({ length: 6 }, (_, index) => ({
    name: `gomphonema/${index}.bmp`,
    data: bmp(index + 50).subarray(0, 60),
  }));
  replaceZip('gomphonema.zip', buildZip({ entries: cut }));
  const message = errorOf(await run({ 'broken-images': 'leave-out' }));
  expect(message).toContain('The label “Gomphonema”: none of its files is a whole image. gomphonema.zip: gomphonema/');
  expect(message).toContain('is cut short');
  expect(uploaded()).toEqual([]);
});
