import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DEFAULT_ENDINGS, isCompressedImage, showableMediaType } from '../../src/image/formats.ts';

test('browsers show PNG, JPEG, GIF, WebP, BMP and AVIF, in either case of the name; TIFF they don’t', () => {
  const shown = ['a.png', 'a.JPG', 'a.jpeg', 'a.gif', 'a.webp', 'a.bmp', 'x.y.avif'].map(showableMediaType);
  expect(shown).toEqual([
    'image/png',
    'image/jpeg',
    'image/jpeg',
    'image/gif',
    'image/webp',
    'image/bmp',
    'image/avif',
  ]);
  expect(['a.tif', 'a.tiff', 'png', 'a.png.txt', 'a.constructor'].map(showableMediaType)).toEqual(
    Array(5).fill(undefined),
  );
});

test('what is compressed is told by the ending; a TIFF may be, or not', () => {
  expect(['a.JPG', 'a.x.jp2', 'a.heic', 'a.jxl'].map(isCompressedImage)).toEqual(Array(4).fill(true));
  expect(['a.tif', 'a.bmp', 'png', 'a.csv'].map(isCompressedImage)).toEqual(Array(4).fill(false));
});

test('the template’s programs take the files for images that the action does', () => {
  const program = readFileSync(new URL('../../templates/model/preparation.py', import.meta.url), 'utf8');
  const taken = /^IMAGE_ENDINGS = \((.*)\)$/m.exec(program)?.[1]?.match(/\w+/g);
  expect(taken?.sort()).toEqual([...DEFAULT_ENDINGS].sort());
});
