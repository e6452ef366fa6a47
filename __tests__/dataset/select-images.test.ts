import { describe, expect, test } from 'vitest';
import { extensionOf, isImagePath, selectImages } from '../../src/dataset/select-images.ts';

const EXTENSIONS = new Set(['jpg', 'png']);

function select(paths: readonly string[], folder = '.', empty: readonly string[] = []) {
  const files = paths.map((path) => ({ path, bytes: empty.includes(path) ? 0 : 9, crc32: 1 }));
  const { images, ...rest } = selectImages(files, { zipName: 'h.zip', folder, extensions: EXTENSIONS });
  return { images: images.map(({ path }) => path), ...rest };
}

describe('the images of an entry', () => {
  test('are those below its folder, however deep, in code-point order', () => {
    const { images } = select(['H/b.jpg', 'H/\u{1F600}.jpg', 'H/\uFF5E.jpg', 'H/x/y/a.PNG', 'H/Z.jpg', 'I/c.jpg'], 'H');
    expect(images).toEqual(['H/Z.jpg', 'H/b.jpg', 'H/x/y/a.PNG', 'H/\uFF5E.jpg', 'H/\u{1F600}.jpg']);
  });

  test('are each there once, also when folders are nested', () => {
    const { images } = select(['H/1.jpg', 'H/H/1.jpg', 'H/H/H/1.jpg'], 'H');
    expect(images).toEqual(['H/1.jpg', 'H/H/1.jpg', 'H/H/H/1.jpg']);
  });

  test('are told from everything else, which is counted with its reason', () => {
    const paths = [
      'H/1.jpg',
      'H/.DS_Store',
      'H/Thumbs.db',
      'H/sub/THUMBS.DB',
      'H/desktop.ini',
      'H/._1.jpg',
      '__MACOSX/H/._1.jpg',
      '__MACOSX/H/2.jpg',
      'H/readme.txt',
      'H/jpg',
      'H/old.jpg/note',
      'H/empty.jpg',
      'I/1.jpg',
      'Hx/1.jpg',
    ];
    const { images, leftOut, warnings } = select(paths, 'H', ['H/empty.jpg']);
    expect(images).toEqual(['H/1.jpg']);
    expect(warnings).toEqual([]);
    expect(Object.groupBy(leftOut, ({ reason }) => reason)).toEqual({
      'system file': paths.slice(1, 8).map((path) => ({ reason: 'system file', zipName: 'h.zip', path })),
      'not an image': paths.slice(8, 11).map((path) => ({ reason: 'not an image', zipName: 'h.zip', path })),
      empty: [{ reason: 'empty', zipName: 'h.zip', path: 'H/empty.jpg' }],
      'outside the folder': paths.slice(12).map((path) => ({ reason: 'outside the folder', zipName: 'h.zip', path })),
    });
  });

  test('the folder of macOS’s extras is not taken for the one asked for', () => {
    const { images, folder, warnings } = select(['__MACOSX/Hannaea/._1.jpg', 'export/Hannaea/1.jpg'], 'Hannaea');
    expect({ images, folder }).toEqual({ images: ['export/Hannaea/1.jpg'], folder: 'export/Hannaea' });
    expect(warnings).toEqual(['h.zip: the folder “Hannaea” was found as “export/Hannaea”.']);
  });

  test('none at all is a warning', () => {
    expect(select(['H/readme.txt'], 'H').warnings).toEqual(['h.zip: no image was found in the folder “H”.']);
    expect(select(['readme.txt']).warnings).toEqual(['h.zip: no image was found in the zip.']);
  });
});

test('an extension is what follows the last dot of the last name, in lower case', () => {
  expect(['a.JPG', 'a.b.png', '.jpg', 'a', 'a.jpg/b', 'a.', 'x.y/z'].map(extensionOf)).toEqual([
    'jpg',
    'png',
    'jpg',
    '',
    '',
    '',
    '',
  ]);
});

test('a system file is no image whatever its name ends with', () => {
  expect(isImagePath('H/1.jpg', EXTENSIONS)).toBe(true);
  expect(isImagePath('H/._1.jpg', EXTENSIONS)).toBe(false);
  expect(isImagePath('__macosx/1.jpg', EXTENSIONS)).toBe(false);
  expect(isImagePath('H/1.gif', EXTENSIONS)).toBe(false);
});
