import { expect, test } from 'vitest';
import { type ClassChanges, createComparison } from '../../src/dataset/changes.ts';
import { createKnownImages } from '../../src/dataset/known-images.ts';
import type { KnownImage } from '../../src/dataset/sides.ts';
import type { Split } from '../../src/dataset/split.ts';

interface Now {
  readonly crc32: number;
  readonly label: string;
  readonly split: Split;
}

const NONE: ClassChanges = { added: 0, returned: 0, relabelledTo: 0, relabelledFrom: 0, removed: 0, moved: 0 };

function before(crc32: number, label: string | undefined, side: Split = 'train'): KnownImage {
  return { sha256: undefined, crc32, bytes: 100, side, group: undefined, label };
}

function now(crc32: number, label: string, split: Split = 'train'): Now {
  return { crc32, label, split };
}

function compare(known: readonly KnownImage[], images: readonly Now[]) {
  const comparison = createComparison(createKnownImages(known));
  for (const { label, crc32 } of images) comparison.see(label, [{ crc32, bytes: 100 }]);
  const shrunk = comparison.shrunk();
  const rows = images.map(({ crc32, label, split }, index) =>
    comparison.add({ crc32, bytes: 100, label, split, path: `${split}/${label}/${index}.png` }),
  );
  const lines = (rows.join('') + comparison.rest()).split('\n').slice(0, -1);
  return { shrunk, lines, classes: Object.fromEntries(comparison.classes()) };
}

test('an image that is as it was, also with copies and under another name, is no change', () => {
  expect(compare([before(1, 'A'), before(2, 'A', 'test')], [now(1, 'A'), now(1, 'A'), now(2, 'A', 'test')])).toEqual({
    shrunk: [],
    lines: [],
    classes: {},
  });
});

test('each kind of change has its row, and is counted for its class', () => {
  const known = [before(1, 'A'), before(2, 'A'), before(3, undefined, 'test'), before(4, 'B'), before(5, 'B')];
  const images = [now(1, 'B'), now(3, 'A', 'test'), now(4, 'B', 'test'), now(5, 'B'), now(6, 'A'), now(6, 'A')];
  const { lines, classes } = compare(known, images);
  expect(lines).toEqual([
    'relabelled,B,A,train/B/0.png,00000001,100',
    'returned,A,,test/A/1.png,00000003,100',
    'moved,B,,test/B/2.png,00000004,100',
    'added,A,,train/A/4.png,00000006,100',
    'removed,A,,,00000002,100',
  ]);
  expect(classes).toEqual({
    A: { ...NONE, added: 1, returned: 1, relabelledFrom: 1, removed: 1 },
    B: { ...NONE, relabelledTo: 1, moved: 1 },
  });
});

test('an image that has come under another label too is added there, and one that has left one of two is removed there', () => {
  const { lines } = compare([before(1, 'A'), before(2, 'A'), before(2, 'B')], [now(1, 'A'), now(1, 'B'), now(2, 'B')]);
  expect(lines).toEqual(['added,B,,train/B/1.png,00000001,100', 'removed,A,,,00000002,100']);
});

test('an image that is relabelled and moved has both rows', () => {
  expect(compare([before(1, 'A')], [now(1, 'B', 'test')]).lines).toEqual([
    'relabelled,B,A,test/B/0.png,00000001,100',
    'moved,B,,test/B/0.png,00000001,100',
  ]);
});

test('a class that vanished, or lost more than a tenth of its images, is named; one that lost a tenth is not', () => {
  const many = (label: string, from: number, count: number) =>
    Array.from({ length: count }, (_, index) => before(from + index, label));
  const known = [...many('A', 0, 20), ...many('B', 100, 20), ...many('C', 200, 3), ...many('D', 300, 5)];
  const images = [
    ...many('A', 2, 18),
    // Images that are new make up for none that are lost.
    ...many('B', 103, 40),
    // Relabelled as a whole.
    ...many('E', 300, 5),
  ].map(({ crc32, label = '' }) => now(crc32, label));
  expect(compare(known, images).shrunk).toEqual([
    'The class “B” has lost 3 of the 20 images that it had.',
    'The class “C” has vanished; it had 3 images.',
    'The class “D” has vanished; it had 5 images.',
  ]);
});
