import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createNamer } from '../../src/dataset/layout.ts';
import { foldName, whyUnsafeName } from '../../src/dataset/safe-name.ts';

function namesOf(paths: readonly string[]): string[] {
  const name = createNamer();
  return paths.map(name);
}

/** Names that like to meet: cases, Unicode forms, separators that look like ours, numbers like ours, endless ones. */
const component = fc.oneof(
  fc.constantFrom('a', 'A', 'ä', 'a\u0308', 'ß', 'SS', 'ẞ', 'a__b', 'a_', '_', 'a-2', 'con', 'nul ', ' ', '.', 'ﬁ'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
  fc
    .constantFrom('x', 'ü', '硅', '\u{1F600}')
    .chain((character) => fc.integer({ min: 20, max: 255 }).map((length) => character.repeat(length))),
);
const path = fc
  .tuple(fc.array(component, { minLength: 1, maxLength: 4 }), fc.constantFrom('jpg', 'JPG', 'png', 'tiff'))
  .map(([parts, extension]) => `${parts.map((part) => part.replaceAll('/', '')).join('/')}.${extension}`);

describe('file names', () => {
  test('never meet, not even where case and Unicode form do not count, and are safe everywhere', () => {
    fc.assert(
      fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 40 }), (paths) => {
        const names = namesOf(paths);
        expect(new Set(names.map(foldName)).size).toBe(paths.length);
        expect(names.map(whyUnsafeName).filter((reason) => reason !== undefined)).toEqual([]);
        expect(Math.max(...names.map((name) => Buffer.byteLength(name)))).toBeLessThanOrEqual(255);
      }),
      { numRuns: 500 },
    );
  });

  test('follow from the paths alone, and keep their extension', () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 20 }), (paths) => {
        const names = namesOf(paths);
        expect(namesOf(paths)).toEqual(names);
        names.forEach((name, index) => {
          expect(name.slice(name.lastIndexOf('.'))).toBe(paths[index]?.slice(paths[index].lastIndexOf('.')));
        });
      }),
    );
  });

  test('do not depend on what comes later', () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 20 }), fc.nat(20), (paths, count) => {
        expect(namesOf(paths.slice(0, count))).toEqual(namesOf(paths).slice(0, count));
      }),
    );
  });

  test.each([
    [['a.jpg'], ['a.jpg']],
    [
      ['slide 1/a.jpg', 'slide 2/a.jpg'],
      ['slide 1__a.jpg', 'slide 2__a.jpg'],
    ],
    [
      ['a.jpg', 'A.JPG', 'a-2.jpg', 'a.jpg'],
      ['a.jpg', 'A-2.JPG', 'a-2-2.jpg', 'a-3.jpg'],
    ],
    [
      ['a/b.jpg', 'a__b.jpg'],
      ['a__b.jpg', 'a__b-2.jpg'],
    ],
    [
      ['con.jpg', 'a:b.jpg', ' x.jpg'],
      ['_con.jpg', 'a_b.jpg', '_x.jpg'],
    ],
    [
      ['.jpg', 'x'],
      ['.jpg', 'x'],
    ],
  ])('%j become %j', (paths, names) => {
    expect(namesOf(paths)).toEqual(names);
  });

  test('that are too long are cut, and a hash of the whole keeps them apart', () => {
    const names = namesOf([`${'ä'.repeat(200)}1.jpg`, `${'ä'.repeat(200)}2.jpg`]);
    for (const name of names) expect(name).toMatch(/^ä{121}~[0-9a-f]{8}\.jpg$/);
    expect(names[0]).not.toBe(names[1]);
  });
});
