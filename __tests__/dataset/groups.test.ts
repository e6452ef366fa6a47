import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GroupableImage, groupImages } from '../../src/dataset/groups.ts';
import { failureOf } from '../helpers/failure.ts';

const contents: string[] = [];

/** Of a content, the same number every time. */
function numberOf(content: string): number {
  if (!contents.includes(content)) contents.push(content);
  return contents.indexOf(content);
}

function image(path: string, content: string, label = 'Hannaea', zipName = 'h.zip'): GroupableImage {
  return { path, content: numberOf(content), label, zipName, fingerprint: `print of ${content}` };
}

function groupsOf(images: readonly GroupableImage[], groupBy?: RegExp): string[][] {
  return groupImages(images, groupBy).map((group) => group.images.map(({ path }) => path));
}

describe('images that stay together', () => {
  test('without group-by only identical ones do, across zips and labels too', () => {
    const images = [image('a', '1'), image('b', '2'), image('c', '1', 'Gomphonema', 'g.zip'), image('d', '3')];
    expect(groupsOf(images)).toEqual([['a', 'c'], ['b'], ['d']]);
  });

  test('the key of group-by is its first group, else the whole match, across zips', () => {
    const images = [image('s1_a.png', '1'), image('s2_a.png', '2'), image('s1_b.png', '3', 'Hannaea', 'other.zip')];
    const groups = [['s1_a.png', 's1_b.png'], ['s2_a.png']];
    expect(groupsOf(images, /^([^_]+)_(.)/u)).toEqual(groups);
    expect(groupsOf(images, /s\d/u)).toEqual(groups);
    expect(groupsOf(images, /s\d|(never)/u)).toEqual(groups);
  });

  test('a match of nothing at all is no key', () => {
    expect(groupsOf([image('s1_a', '1'), image('b', '2'), image('c', '3'), image('s1_d', '4')], /^(s\d)?/u)).toEqual([
      ['s1_a', 's1_d'],
      ['b'],
      ['c'],
    ]);
  });

  test('one key under two labels is two groups', () => {
    const images = [image('s1_a', '1'), image('s1_b', '2', 'Gomphonema'), image('s1_c', '3')];
    expect(groupsOf(images, /^s\d/u)).toEqual([['s1_a', 's1_c'], ['s1_b']]);
  });

  test('labels and keys are kept apart, however they are written', () => {
    const images = [image('b/c', '1', 'a'), image('c', '2', 'a b')];
    expect(groupsOf(images, /.*/u)).toHaveLength(2);
  });

  test('an image that group-by does not match is a group of its own', () => {
    expect(groupsOf([image('s1_a', '1'), image('x', '2'), image('y', '3'), image('s1_b', '4')], /^s\d/u)).toEqual([
      ['s1_a', 's1_b'],
      ['x'],
      ['y'],
    ]);
  });

  test('paths are compared in one Unicode form', () => {
    expect(groupsOf([image('\u00E9_1', '1'), image('e\u0301_2', '2')], /^(.)_/u)).toHaveLength(1);
  });

  test('groups that an identical image connects are one', () => {
    const images = [image('s1_a', '1'), image('s2_a', '2'), image('s3_a', '3'), image('s1_b', '9'), image('s3_b', '9')];
    expect(groupsOf(images, /^s\d/u)).toEqual([['s1_a', 's3_a', 's1_b', 's3_b'], ['s2_a']]);
    const [merged, single] = groupImages(images, /^s\d/u);
    expect(merged?.keys).toEqual(['group Hannaea/s1', 'group Hannaea/s3']);
    expect(single?.keys).toEqual(['group Hannaea/s2']);
  });

  test('a group-by that matches nothing in a label is an error that names the label and one of its paths', async () => {
    const images = [image('s1_a', '1'), image('x.png', '2', 'Gomphonema'), image('y.png', '3', 'Navicula')];
    const { code, message } = await failureOf(() => groupImages(images, /^s\d/u));
    expect(code).toBe('INPUT');
    expect(message).toMatch(
      /^Input group-by: \/\^s\\d\/u matches no image of the label “Gomphonema” \(and in 1 other labels\); a path there is “x\.png”\./,
    );
  });
});

test('groups are a partition, and exactly the smallest one that keeps keys and contents together', () => {
  const images = fc.array(fc.tuple(fc.constantFrom('s1', 's2', 's3', 'none'), fc.constantFrom('A', 'B'), fc.nat(15)), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(images, (drawn) => {
      // One match a label, so that group-by is never refused.
      const all = [
        ...(['A', 'B'] as const).map((label) => ['s1', label, label === 'A' ? 100 : 101] as const),
        ...drawn,
      ].map(([specimen, label, content], index) => image(`${specimen}_${index}`, String(content), label));
      const groups = groupImages(all, /^s\d/u);
      expect(groups.flatMap((group) => group.images).toSorted(byPath)).toEqual(all.toSorted(byPath));
      const groupOf = new Map(groups.flatMap((group) => group.images.map((member) => [member, group])));
      for (const a of all) {
        // What is reachable from an image by steps of equal content or equal key of one label, step by step.
        const reached = new Set([a]);
        for (const member of reached) {
          for (const b of all) if (belongTogether(member, b)) reached.add(b);
        }
        expect(new Set(groupOf.get(a)?.images)).toEqual(reached);
      }
    }),
  );
});

function byPath(a: GroupableImage, b: GroupableImage): number {
  return a.path < b.path ? -1 : 1;
}

function belongTogether(a: GroupableImage, b: GroupableImage): boolean {
  const [keyA, keyB] = [a, b].map(({ path }) => /^s\d/.exec(path)?.[0]);
  return a.content === b.content || (a.label === b.label && keyA !== undefined && keyA === keyB);
}
