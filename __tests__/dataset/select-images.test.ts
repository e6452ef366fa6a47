import { describe, expect, test } from 'vitest';
import { extensionOf, isImagePath, selectImages } from '../../src/dataset/select-images.ts';
import { failureOf } from '../helpers/failure.ts';

const EXTENSIONS = new Set(['jpg', 'png']);

function select(paths: readonly string[], folder = '.', empty: readonly string[] = []) {
  const files = paths.map((path) => ({ path, bytes: empty.includes(path) ? 0 : 9, crc32: 1 }));
  const entry = { explodedFolderName: folder, speciesLabel: 'H', nTest: undefined };
  const { folders, leftOut, warnings } = selectImages(files, [entry], { zipName: 'h.zip', extensions: EXTENSIONS });
  const [own] = folders;
  return { images: own?.images.map(({ path }) => path), folder: own?.folder, leftOut, warnings };
}

/** Of several entries of one zip, each a folder and its label. */
function selectAll(
  paths: readonly string[],
  wanted: readonly (readonly [folder: string, label: string])[],
  classes = {},
) {
  const files = paths.map((path) => ({ path, bytes: 9, crc32: 1 }));
  const entries = wanted.map(([explodedFolderName, speciesLabel]) => ({
    explodedFolderName,
    speciesLabel,
    nTest: undefined,
    ...(speciesLabel === '*' && { classes: new Map(Object.entries<string>(classes)) }),
  }));
  const { folders, leftOut, warnings } = selectImages(files, entries, { zipName: 'h.zip', extensions: EXTENSIONS });
  return {
    classes: folders.map(({ label, images }) => [label, images.map(({ path }) => path)]),
    leftOut: leftOut.map(({ reason, path }) => `${reason}: ${path}`),
    warnings,
  };
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

  test('are told apart from everything else, which is counted with its reason', () => {
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

describe('of several entries of one zip', () => {
  test('each has the images of its folder, and what no one wants is counted once', () => {
    const paths = ['A/1.jpg', 'A/notes.txt', 'B/1.jpg', 'C/1.jpg', 'Thumbs.db', 'readme.txt'];
    const wanted = [
      ['A', 'a'],
      ['B', 'b'],
    ] as const;
    expect(selectAll(paths, wanted)).toEqual({
      classes: [
        ['a', ['A/1.jpg']],
        ['b', ['B/1.jpg']],
      ],
      leftOut: [
        'not an image: A/notes.txt',
        'outside the folder: C/1.jpg',
        'system file: Thumbs.db',
        'not an image: readme.txt',
      ],
      warnings: [],
    });
  });

  test('two may have one folder, or one inside the other: whether that is meant, the plan says', () => {
    const wanted = [
      ['A', 'a'],
      ['A/x', 'b'],
      ['A', 'c'],
    ] as const;
    expect(selectAll(['A/1.jpg', 'A/x/2.jpg'], wanted).classes).toEqual([
      ['a', ['A/1.jpg', 'A/x/2.jpg']],
      ['b', ['A/x/2.jpg']],
      ['c', ['A/1.jpg', 'A/x/2.jpg']],
    ]);
  });
});

describe('“*” takes every folder as a class', () => {
  const every = (paths: readonly string[], classes = {}) => selectAll(paths, [['*', '*']], classes);
  const labels = (paths: readonly string[], classes = {}) => every(paths, classes).classes.map(([label]) => label);
  const refusal = async (paths: readonly string[], classes = {}) => {
    const { code, message } = await failureOf(() => every(paths, classes));
    expect(code).toBe('FILE_LIST');
    return message;
  };

  test.each([
    ['at the top', ['B/1.jpg', 'A/1.jpg', 'A/x/2.jpg'], ['A', 'B']],
    ['below the only folder', ['set/A/1.jpg', 'set/B/1.jpg'], ['A', 'B']],
    ['below several only folders', ['data/v1/A/1.jpg', 'data/v1/B/1.jpg'], ['A', 'B']],
    [
      'beside what systems hide',
      ['A/1.jpg', 'B/1.jpg', '__MACOSX/A/._1.jpg', '.git/x/1.jpg', '@eaDir/1.jpg'],
      ['A', 'B'],
    ],
    ['beside folders of documents', ['A/1.jpg', 'B/1.jpg', 'docs/a.pdf', 'docs/b/c.txt'], ['A', 'B']],
    ['of one class', ['A/1.jpg', 'A/2.jpg'], ['A']],
    ['of one class with a folder of its own', ['A/1.jpg', 'A/x/2.jpg'], ['A']],
    ['whose name comes decomposed', ['Gomphone\u0301ma/1.jpg', 'B/1.jpg'], ['B', 'Gomphon\u00e9ma']],
  ])('%s', (_, paths, expected) => {
    expect(labels(paths)).toEqual(expected);
  });

  test('images beside the folders are left out, with a warning', () => {
    expect(every(['set/all.png', 'set/A/1.jpg', 'set/B/1.jpg', 'readme.txt'])).toEqual({
      classes: [
        ['A', ['set/A/1.jpg']],
        ['B', ['set/B/1.jpg']],
      ],
      leftOut: ['outside the folder: set/all.png', 'not an image: readme.txt'],
      warnings: ['h.zip: images beside the folders of classes are left out: 1 (set/all.png).'],
    });
  });

  test('a folder whose files only might be images is a class, so that it is not lost in silence', () => {
    expect(labels(['A/1.jpg', 'B/1.jfif'])).toEqual(['A', 'B']);
  });

  test('“folder/*” takes those right below a folder', () => {
    const paths = ['train/A/1.jpg', 'train/B/1.jpg', 'test/A/2.jpg', 'masks/A/1.jpg'];
    const wanted = [
      ['train/*', '*'],
      ['test/*', '*'],
    ] as const;
    expect(selectAll(paths, wanted).classes).toEqual([
      ['A', ['train/A/1.jpg']],
      ['B', ['train/B/1.jpg']],
      ['A', ['test/A/2.jpg']],
    ]);
  });

  test('parts of a split are not taken for classes', async () => {
    expect(await refusal(['d/train/A/1.jpg', 'd/val/A/2.jpg', 'd/README.md'])).toBe(
      'h.zip: the folders that “*” takes are “d/train”, “d/val”: parts of a split, and no classes. If the classes are the folders below, write an entry for each of them, with exploded_folder_name “d/train/*” and “d/val/*”.',
    );
  });

  test('classes gives folders other labels, two of them the same if so wanted', () => {
    const paths = ['A/1.jpg', 'B/1.jpg', 'C/1.jpg'];
    expect(labels(paths, { B: 'Beta', 'c/': 'Beta' })).toEqual(['A', 'Beta', 'Beta']);
  });

  test('classes for a folder that is not there is an error that names those which are', async () => {
    expect(await refusal(['A/1.jpg', 'B/1.jpg'], { Bb: 'x' })).toBe(
      'h.zip: “classes” names “Bb”, and no folder that “*” takes has that name. It takes “A”, “B”.',
    );
  });

  test('a folder whose name can’t be a label is an error with what to write, and does as it says', async () => {
    const paths = ['Navicula sp./1.jpg', 'cf. lanceolata?/1.jpg', 'C/1.jpg'];
    const message = await refusal(paths);
    expect(message).toMatch(/^h\.zip: 2 folders have names that are not safe for a class:\n- “Navicula sp\.” begins/m);
    const proposed: unknown = JSON.parse(/"classes": (\{.*?\})/.exec(message)?.[1] ?? '');
    expect(proposed).toEqual({ 'Navicula sp.': 'Navicula sp', 'cf. lanceolata?': 'cf. lanceolata_' });
    expect(labels(paths, { ...(typeof proposed === 'object' && proposed) })).toEqual([
      'C',
      'Navicula sp',
      'cf. lanceolata_',
    ]);
  });

  test('a folder that has an entry of its own is left to it', () => {
    const wanted = [
      ['*', '*'],
      ['B', 'Beta'],
    ] as const;
    expect(selectAll(['A/1.jpg', 'B/1.jpg'], wanted).classes).toEqual([
      ['A', ['A/1.jpg']],
      ['Beta', ['B/1.jpg']],
    ]);
  });

  test('a zip without folders is an error that says what is there', async () => {
    expect(await refusal(['1.jpg', 'notes.txt'])).toContain('has no folder with images. It has “1.jpg”, “notes.txt”.');
    expect(await refusal(['A.zip'])).toContain('Zips inside a zip are not unpacked');
  });
});
