import { expect, test } from 'vitest';
import { wordsIn, wordsInCheckout } from '../../scripts/plain-words.ts';

test('a word of the list is named with its file, its line and what to write instead', () => {
  expect(wordsIn('a.md', 'one\ntwo\nBegin anew when the cause is mended.\n')).toEqual([
    'a.md:3: “anew” is not plain English. Write instead: again, from the beginning, a new …',
    'a.md:3: “mended” is not plain English. Write instead: fix',
  ]);
});

test.each([
  ['a sentence', 'what can be\nhad'],
  ['a comment', ' * for a name that is\n * none, or of old'],
  ['a comment of a script', '# the log tells\n  # of it'],
])('words that the end of a line parts are found in %s', (_, text) => {
  expect(wordsIn('a', text)[0]).toMatch(/^a:1: “(be had|is none|tells of)”/);
});

test.each([
  'There is none yet; where there are none, `none` is written.',
  'if value is None:',
  "check-again: anew, or 'anew'",
  'for (const name of old) remove(name);',
  'He tells the classes apart, had them, and recommends it.',
])('plain words and code are left alone: %s', (text) => {
  expect(wordsIn('a', text)).toEqual([]);
});

test('the texts of this repository have no word of the list', () => {
  expect(wordsInCheckout()).toEqual([]);
});
