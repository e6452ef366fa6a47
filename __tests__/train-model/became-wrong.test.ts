import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { ComparedImage } from '../../src/model/compared-images.ts';
import { becameWrongPage } from '../../src/train-model/became-wrong.ts';
import { temporaryFolder } from '../helpers/runner.ts';

/** The smallest picture that is one. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

function image(path: string, production: string, candidate: string): ComparedImage {
  return { path, sha256: '', label: path.split('/')[1] ?? '', production, candidate };
}

function dataset(files: Readonly<Record<string, Buffer>>): string {
  const folder = temporaryFolder();
  for (const [path, data] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), data);
  }
  return folder;
}

const picturesOf = (page: string) => [...page.matchAll(/<img alt="([^"]*)" src="data:image\/png;base64,([^"]+)">/g)];

test('what production has right and the model wrong is shown, and nothing else', async () => {
  const paths = ['test/a/lost.png', 'test/a/kept.png', 'test/b/gained.png', 'test/b/never.png'];
  const folder = dataset(Object.fromEntries(paths.map((path) => [path, PNG])));
  const page = await becameWrongPage(
    folder,
    [
      image('test/a/lost.png', 'a', '<b>'),
      image('test/a/kept.png', 'a', 'a'),
      image('test/b/gained.png', 'a', 'b'),
      image('test/b/never.png', 'a', 'a'),
    ],
    'v7',
  );
  const pictures = picturesOf(page ?? '');
  expect(pictures.map(([, alt]) => alt)).toEqual(['a, taken for &lt;b&gt;: lost.png']);
  expect(Buffer.from(pictures[0]?.[2] ?? '', 'base64')).toEqual(PNG);
  expect(page).toContain('production (v7)');
  expect(page).toContain('<div><dt>Became right</dt><dd>1</dd></div>');
  expect(page).not.toContain('<b>');
});

test('there is no page when nothing became wrong', async () => {
  const images = [image('test/a/1.png', 'a', 'a'), image('test/a/2.png', 'b', 'a')];
  expect(await becameWrongPage(temporaryFolder(), images, undefined)).toBeUndefined();
  expect(await becameWrongPage(temporaryFolder(), [], undefined)).toBeUndefined();
});

test('images that browsers don’t show, or that are gone, are named', async () => {
  const folder = dataset({ 'test/a/1.tif': PNG });
  const images = [image('test/a/1.tif', 'a', 'b'), image('test/a/gone.png', 'a', 'c')];
  const page = await becameWrongPage(folder, images, undefined);
  expect(picturesOf(page ?? '')).toEqual([]);
  expect(page?.replaceAll('<wbr>', '')).toMatch(/<bdi>1\.tif<\/bdi>: b[\s\S]*<bdi>gone\.png<\/bdi>: c/);
});

test('the page stays at some 3 MB, every class gets its part of it, and the gravest loss comes first', async () => {
  const large = Buffer.concat([PNG, Buffer.alloc(100_000)]);
  const paths = ['b', 'a'].flatMap((label) =>
    Array.from({ length: 40 }, (_, index) => `test/${label}/${String(index).padStart(2, '0')}.png`),
  );
  const folder = dataset(Object.fromEntries(paths.map((path) => [path, large])));
  // Of b a fourth is lost, of a all.
  const images = paths.map((path, index) => {
    const label = path.split('/')[1] ?? '';
    return image(path, label, label === 'b' && index % 4 > 0 ? 'b' : 'other');
  });
  const page = (await becameWrongPage(folder, images, undefined)) ?? '';
  expect(page.length).toBeGreaterThan(2_500_000);
  expect(page.length).toBeLessThan(3_200_000);
  const labels = picturesOf(page).map(([, alt]) => alt?.[0]);
  expect(labels.filter((label) => label === 'a')).toHaveLength(11);
  expect(labels.filter((label) => label === 'b')).toHaveLength(10);
  expect(labels[0]).toBe('a');
  expect(page.includes('<td>worse beyond chance</td>')).toBe(true);
});

test('what can’t be shown of a large class is counted beyond the first fifty', async () => {
  const images = Array.from({ length: 60 }, (_, index) => image(`test/a/${index}.tif`, 'a', 'b'));
  expect(await becameWrongPage(temporaryFolder(), images, undefined)).toContain('<li>and 10 more</li>');
});
