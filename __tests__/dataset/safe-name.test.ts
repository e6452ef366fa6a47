import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldName, toSafeName, whyUnsafeName } from '../../src/dataset/safe-name.ts';

/** Every character of Unicode, without the halves of surrogate pairs. */
function* everyCharacter(): Generator<string> {
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code < 0xd800 || code > 0xdfff) yield String.fromCodePoint(code);
  }
}

describe('a safe name', () => {
  test.each([
    'Hannaea',
    'Achnanthidium minutissimum',
    'Grüne Alge №1',
    '硅藻',
    'a.b.c',
    '-x',
    'console.txt',
    'com10',
    'x'.repeat(255),
  ])('%s', (name) => {
    expect(whyUnsafeName(name)).toBeUndefined();
    expect(toSafeName(name)).toBe(name);
  });

  test.each([
    ['', 'is empty'],
    ['..', 'stands for a folder, not for a name'],
    ['a:b', 'holds the character :'],
    ['a\nb', 'holds a control character'],
    ['a\u0085', 'holds a control character'],
    ['\u3000a', 'begins with a space, or ends with a space or a dot'],
    ['a.', 'begins with a space, or ends with a space or a dot'],
    ['Con.txt', 'is reserved on Windows'],
    ['COM¹', 'is reserved on Windows'],
    ['nul .txt', 'is reserved on Windows'],
    ['CONIN$', 'is reserved on Windows'],
    ['a\udc00', 'holds half a character'],
    ['é'.repeat(128), 'is longer than 255 bytes'],
  ])('is not %j: it %s', (name, reason) => {
    expect(whyUnsafeName(name)).toBe(reason);
  });

  test('is made from any name that is not too long', () => {
    // All code units, halves of surrogate pairs too.
    const unit = fc.oneof(
      fc.nat(0xffff).map((code) => String.fromCharCode(code)),
      fc.constantFrom(...' ./\\:\tnulcon'),
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (name) => {
        expect(whyUnsafeName(toSafeName(name))).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('folded names', () => {
  test('are equal for every character in upper case, lower case and any Unicode form', () => {
    const apart: string[] = [];
    for (const character of everyCharacter()) {
      const forms = [
        character.toLowerCase(),
        character.toUpperCase(),
        character.normalize('NFC'),
        character.normalize('NFD'),
      ];
      if (forms.some((form) => foldName(form) !== foldName(character))) apart.push(character);
    }
    expect(apart).toEqual([]);
  });

  test('are different for what every file system keeps apart', () => {
    expect(new Set(['a.jpg', 'b.jpg', 'a-.jpg', 'ä.jpg', 'a.jpeg', 'а.jpg'].map(foldName)).size).toBe(6);
  });
});
