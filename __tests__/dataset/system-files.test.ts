import { describe, expect, test } from 'vitest';
import { selectImages } from '../../src/dataset/select-images.ts';
import { isSystemFile, SYSTEM_NAMES } from '../../src/dataset/system-files.ts';

describe('a file that a system or program hides is left out and counted as a system file', () => {
  test.each(SYSTEM_NAMES.map((known) => [known.example, known] as const))('%s', (example, { name, madeBy }) => {
    expect(new RegExp(`(?:^|/)(?:${name.source})(?:/|$)`).test(example)).toBe(true);
    expect(madeBy).not.toBe('');
    const files = [example, example.toUpperCase(), 'Hannaea/a.png'].map((path) => ({ path, bytes: 9, crc32: 1 }));
    const extensions = new Set(['png']);
    const entry = { explodedFolderName: '.', speciesLabel: 'Hannaea', nTest: undefined };
    const { folders, leftOut } = selectImages(files, [entry], { zipName: 'h.zip', extensions });
    expect(folders[0]?.images.map(({ path }) => path)).toEqual(['Hannaea/a.png']);
    expect(leftOut.map(({ reason }) => reason)).toEqual(['system file', 'system file']);
  });

  test.each([
    'Hannaea/.a.png',
    '.Trash-1000/files/a.png',
    'Hannaea/.thumbnails/a.png',
    'Hannaea/@eaDir/a.png/SYNOFILE_THUMB_XL.jpg',
    '@Recycle/a.png',
    'a/b/#RECYCLE/c/a.png',
    'Hannaea/ehthumbs.db',
    'lost+found/a.png',
    'System Volume Information/a.png',
    'Hannaea/.BridgeCache/a.png',
    'Hannaea/.picasaoriginals/a.png',
    'Hannaea/CaptureOne/Settings166/a.png',
    '@Recently-Snapshot/GMT+01_2026-01-01_0000/Hannaea/a.png',
  ])('%s', (path) => expect(isSystemFile(path)).toBe(true));
});

describe('a file with a name that only resembles a hidden one is an image like any other', () => {
  test.each([
    'Navicula sp./a.png',
    'Hannaea/a..png',
    'Hannaea/eaDir/a.png',
    'Hannaea/my@eaDir/a.png',
    'Hannaea/recycle/a.png',
    'Hannaea/#1/a.png',
    'Hannaea/@40x/a.png',
    'Hannaea/Icon.png',
    'Hannaea/thumbs.png',
    'Thumbs/a.png',
    'thumbnails/Hannaea/a.png',
    'CaptureOne/a.png',
    'Captures/CaptureOne/Output/a.tif',
    'Settings1/a.png',
    'data/3/a.jpg',
    'Hannaea/thumbnail.jpg',
    'Hannaea/a_thumb.tif',
    'Hannaea/a_thumbnail-0001.tif',
    'Photos Library.photoslibrary/originals/1/a.jpeg',
    'Hannaea/~a.png',
    'pycache/a.png',
    'Recycle/a.png',
    'Cache/a.png',
    'files/a.png',
    'Hannaea/found.png',
    'Originals/a.png',
    'Hannaea/m:n.png',
    '$1/a.png',
  ])('%s', (path) => expect(isSystemFile(path)).toBe(false));
});
