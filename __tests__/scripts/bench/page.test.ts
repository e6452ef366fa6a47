import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { performancePage } from '../../../scripts/bench/page.ts';
import type { Result } from '../../../scripts/bench/results.ts';
import { TARGETS } from '../../../scripts/bench/targets.ts';

const rounds = (...seconds: number[]) =>
  seconds.map((one) => ({ seconds: one, cpuSeconds: 2 * one, peakMemoryBytes: 150 * 2 ** 20, peakDiskBytes: 3e9 }));

function pageOf(...results: Result[]): string {
  return performancePage(results, { bundle: 'abc', folder: tmpdir(), quick: false });
}

test('the page compares medians, and says for each target in each place whether it is met', () => {
  const runs = { ours: rounds(4, 9, 5), shell0: rounds(10, 10, 11), shell6: rounds(20) };
  const page = pageOf(
    { name: 'A', place: 'disk', runs, facts: {}, missing: ['Not measured: the action has no input `keep-data`.'] },
    { name: 'A', place: 'tmpfs', runs: { ...runs, ours: rounds(6) }, facts: {}, missing: [] },
  );
  const rows = page.split('\n').filter((line) => line.startsWith('| A |'));
  expect(rows).toEqual([
    '| A | (a) shell with `zip -0`; chunked upload | ≤ 0.5 × | 0.50 ×, met | 0.60 ×, **missed** |',
    '| A | (b) shell with `zip -6`; chunked upload | ≤ 0.2 × | 0.25 ×, **missed** | 0.30 ×, **missed** |',
    '| A | (c) the first version; chunked upload | ≤ 0.1 × | not measured | not measured |',
    '| A | (a) with Apache, by PUT | ≤ 0.75 × | not measured | not measured |',
    '| A | (a) with `keep-data: false`; chunked upload | ≤ 0.35 × | not measured | not measured |',
  ]);
  expect(page).toContain('| disk | the action | 3 | 5.00 (4.00–9.00) | – | 10.0 | 150 MiB | 3.00 GB |');
  expect(page).toContain('the action has no input `keep-data`');
});

test('what was not measured yet has no verdict', () => {
  const page = pageOf();
  expect(page).not.toMatch(/, met|\*\*missed\*\*/);
  for (const { text } of TARGETS) expect(page).toContain(text);
});

test('the disk that low-disk needs counts without the largest zip, and the memory by its largest peak', () => {
  const page = pageOf(
    { name: 'low-disk', place: 'disk', runs: { ours: rounds(1) }, facts: { largestZipBytes: 2.8e9 }, missing: [] },
    {
      name: 'C',
      place: 'disk',
      runs: { base: rounds(10), larger: rounds(42), small: rounds(1), many: rounds(8) },
      facts: { factor: 4, imagesFactor: 7 },
      missing: [],
    },
  );
  expect(page).toContain('| ≤ 300 MB | 200 MB, met |');
  expect(page).toContain('over linear growth | ≤ 1.05 × | 1.05 ×, met |');
  expect(page).toContain('over linear growth | ≤ 1.05 × | 1.14 ×, **missed** |');
  expect(page).toContain('| ≤ 200 MiB | 150 MiB, met |');
});
