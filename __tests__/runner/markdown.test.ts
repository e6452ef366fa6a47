import { expect, test } from 'vitest';
import { escapeMarkdown, markdownList, markdownTable } from '../../src/runner/markdown.ts';

test('nothing in a text is taken for Markdown or HTML', () => {
  expect(escapeMarkdown('a_b*c`d`[e](f)|g~h~#1 \\ <img src=x onerror=1> & "q"')).toBe(
    'a\\_b\\*c\\`d\\`\\[e\\](f)\\|g\\~h\\~\\#1 \\\\ &lt;img src=x onerror=1&gt; &amp; "q"',
  );
});

test('a text of several lines stays in its cell or item', () => {
  expect(escapeMarkdown('one\n  two\r\n\nthree')).toBe('one two three');
  expect(markdownList(['a\n- b', '*c*'])).toBe('- a - b\n- \\*c\\*');
});

test('a table has its numbers on the right', () => {
  expect(markdownTable(['Class', 'Train'], [['Hannaea', '5']], ['Train'])).toBe(
    '| Class | Train |\n| --- | ---: |\n| Hannaea | 5 |',
  );
});
