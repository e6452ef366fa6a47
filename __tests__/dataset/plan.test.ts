import { describe, expect, test } from 'vitest';
import { failureOf } from '../helpers/failure.ts';
import { count, distinct, image, plan, source, testSizes } from '../helpers/plan-sources.ts';

describe('identical images', () => {
  const twice = [
    source('a.zip', 'Hannaea', [image('1.png', 1), image('2.png', 2)]),
    source('b.zip', 'Hannaea', [image('x.png', 2), image('y.png', 3), ...distinct(5, 50)]),
  ];

  test('under one label stay, on one side, when duplicates are kept together', () => {
    for (const seed of Array.from({ length: 20 }, (_, index) => String(index))) {
      const { images, leftOut } = plan(twice, { seed });
      const sides = images.filter((planned) => planned.image.content === 2).map(({ split }) => split);
      expect(sides).toHaveLength(2);
      expect(new Set(sides).size).toBe(1);
      expect(leftOut).toEqual([]);
    }
  });

  test('the first stays, and the others are counted, when duplicates are dropped', () => {
    const { images, leftOut } = plan(twice, { duplicates: 'drop' });
    expect(images.map((planned) => planned.image.path)).not.toContain('x.png');
    expect(images).toHaveLength(8);
    expect(leftOut).toEqual([{ reason: 'duplicate', zipName: 'b.zip', path: 'x.png' }]);
  });

  test('are an error that names both places when duplicates are forbidden', async () => {
    const { code, message } = await failureOf(() => plan(twice, { duplicates: 'error' }));
    expect(code).toBe('DATA_SET');
    expect(message).toContain(
      'The same image is there twice: a.zip: 2.png (label “Hannaea”) and b.zip: x.png (label “Hannaea”).',
    );
  });

  test('that are dropped still tie their groups together', () => {
    const images = [image('s1_a.png', 1), image('s1_b.png', 2), image('s2_a.png', 2), image('s2_b.png', 3)];
    const sources = [source('a.zip', 'Hannaea', [...images, ...distinct(20, 50)], count(8))];
    for (const seed of Array.from({ length: 20 }, (_, index) => String(index))) {
      const result = plan(sources, { seed, duplicates: 'drop', groupBy: /^s\d/u });
      const kept = result.images.filter((planned) => planned.image.path.startsWith('s'));
      expect(kept.map((planned) => planned.image.path)).toEqual(['s1_a.png', 's1_b.png', 's2_b.png']);
      expect(new Set(kept.map(({ split }) => split)).size).toBe(1);
    }
  });
});

describe('one image under two labels', () => {
  const conflict = [
    source('h.zip', 'Hannaea', [image('1.png', 1), ...distinct(9, 20)]),
    source('g.zip', 'Gomphonema', [image('sub/7.png', 1), ...distinct(9, 40)]),
  ];
  const sentence =
    'The same image lies under two labels: h.zip: 1.png (label “Hannaea”) and g.zip: sub/7.png (label “Gomphonema”).';

  test('is an error that names both places, also when duplicates are dropped', async () => {
    for (const duplicates of ['keep-together', 'drop', 'error'] as const) {
      const { code, message } = await failureOf(() => plan(conflict, { duplicates }));
      expect(code).toBe('DATA_SET');
      expect(message).toContain(sentence);
    }
  });

  test('is a warning that names both places, and they stay on one side, with label-conflicts: warn', () => {
    for (const seed of Array.from({ length: 20 }, (_, index) => String(index))) {
      const { images, warnings } = plan(conflict, { labelConflicts: 'warn', duplicates: 'drop', seed });
      expect(warnings).toContain(sentence);
      const sides = images.filter((planned) => planned.image.content === 1).map(({ split }) => split);
      expect(sides).toHaveLength(2);
      expect(new Set(sides).size).toBe(1);
    }
  });

  test('many are counted, not all listed, in the error and in the warning', async () => {
    const many = [source('h.zip', 'Hannaea', distinct(15)), source('g.zip', 'Gomphonema', distinct(15))];
    const { message } = await failureOf(() => plan(many));
    expect(message.match(/The same image/g)).toHaveLength(10);
    expect(message).toContain('\n… and 5 more of the kind.\n');
    const { warnings } = plan(many, { labelConflicts: 'warn' });
    expect(warnings.slice(0, 11).at(-1)).toBe('… and 5 more of the kind.');
  });
});

describe('a label without a training image', () => {
  test('is an error that names the label, its zips, and what to do', async () => {
    const sources = [
      source('a.zip', 'Hannaea', distinct(3), count(10)),
      source('b.zip', 'Hannaea', distinct(2, 10), count(10)),
      source('c.zip', 'Gomphonema', distinct(30, 20), count(10)),
      source('d.zip', 'Navicula', []),
    ];
    const { code, message } = await failureOf(() => plan(sources));
    expect(code).toBe('DATA_SET');
    expect(message).toBe(
      [
        'The label “Hannaea” (a.zip, b.zip) has 5 images, and all go to test: none is left for training.',
        'The label “Navicula” (d.zip) has no images: none is left for training.',
        'Add images, take the label out of the file list, or lower n-test (n_test for one entry).',
      ].join('\n'),
    );
  });

  test('is no fault when another zip of the label has one', () => {
    const sources = [
      source('a.zip', 'Hannaea', distinct(3), count(10)),
      source('b.zip', 'Hannaea', distinct(12, 10), count(10)),
    ];
    const result = plan(sources);
    expect(testSizes(result, sources)).toEqual([3, 10]);
    expect(result.warnings).toEqual(['a.zip: all 3 images go to test, 10 (n-test 10) were asked for.']);
  });
});

describe('file names', () => {
  test('are unique under a label over all its zips, and leave the folder of the entry out', () => {
    const folder = (zipName: string, name: string) => ({
      ...source(zipName, 'Hannaea', [
        image(`${name}/1.png`, zipName.length),
        image(`${name}/x/1.png`, 5 + zipName.length),
      ]),
      folder: name,
    });
    const other = source('g.zip', 'Gomphonema', [image('1.png', 30), image('2.png', 31)]);
    const { images } = plan([folder('a.zip', 'export/H'), folder('bb.zip', 'H'), other]);
    expect(images.map(({ label, fileName }) => `${label}/${fileName}`)).toEqual([
      'Hannaea/1.png',
      'Hannaea/x__1.png',
      'Hannaea/1-2.png',
      'Hannaea/x__1-2.png',
      'Gomphonema/1.png',
      'Gomphonema/2.png',
    ]);
  });

  test('do not depend on the split', () => {
    const sources = [
      source('a.zip', 'Hannaea', distinct(20), count(5)),
      source('b.zip', 'Hannaea', distinct(20, 40), count(5)),
    ];
    const names = (seed: string) => plan(sources, { seed }).images.map(({ fileName }) => fileName);
    expect(names('1')).toEqual(names('2'));
  });
});
