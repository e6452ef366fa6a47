import { expect, test } from 'vitest';
import { parseFileList } from '../../src/dataset/file-list.ts';
import { gatherZips, oncePerZip } from '../../src/dataset/one-zip.ts';
import { failureOf } from '../helpers/failure.ts';

const SUM = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);

function entry(file: string, name: string, more: object = {}) {
  return { file_url: file, downloaded_file_name: name, exploded_folder_name: 'A', species_label: 'A', ...more };
}

const parse = (list: readonly object[]) => parseFileList(JSON.stringify(list), 'input file-list');
const refusal = async (list: readonly object[]) => (await failureOf(() => parse(list))).message;

test('entries with one address or one sum are one zip, also by a third entry, and stand together under the first name', () => {
  const list = [
    entry('https://host/a', 'a.zip'),
    entry('https://host/x', 'x.zip'),
    entry('https://mirror/a', 'b.zip', { sha256: SUM }),
    entry('https://HOST/a', 'c.zip', { sha256: SUM.toUpperCase(), species_label: 'C' }),
  ];
  const gathered = gatherZips(parse(list));
  expect(gathered.map(({ fileUrl, downloadedFileName, sha256 }) => [fileUrl, downloadedFileName, sha256])).toEqual([
    ['https://host/a', 'a.zip', SUM],
    ['https://host/a', 'a.zip', SUM],
    ['https://host/a', 'a.zip', SUM],
    ['https://host/x', 'x.zip', undefined],
  ]);
  expect(gathered.map(({ speciesLabel }) => speciesLabel)).toEqual(['A', 'A', 'C', 'A']);
  expect(oncePerZip(gathered, ({ downloadedFileName }) => downloadedFileName)).toHaveLength(2);
});

test('entries with one zip may have one name, others may not', async () => {
  expect(parse([entry('https://host/a', 'a.zip'), entry('https://host/a', 'A.zip')])).toHaveLength(2);
  expect(await refusal([entry('https://host/a', 'a.zip'), entry('https://host/b', 'a.zip')])).toContain(
    'entry 2, downloaded_file_name: “a.zip” is taken by entry 1',
  );
});

test('one address with two sums is refused', async () => {
  const list = [entry('https://host/a', 'a.zip', { sha256: SUM }), entry('https://host/a', 'a.zip', { sha256: OTHER })];
  expect(await refusal(list)).toContain('entry 2, sha256: is another than in entry 1, which has the same file_url');
});

test('a star needs its other half, and classes a star', async () => {
  const star = { exploded_folder_name: '*', species_label: '*', classes: { 'Navicula sp.': 'Navicula_sp' } };
  expect(parse([entry('https://host/a', 'a.zip', star)])[0]).toMatchObject({
    explodedFolderName: '*',
    speciesLabel: '*',
    classes: new Map([['Navicula sp.', 'Navicula_sp']]),
  });
  expect(await refusal([entry('https://host/a', 'a.zip', { exploded_folder_name: '*' })])).toContain(
    'entry 1, species_label: is “A”, and exploded_folder_name takes every folder as a class; write “*”',
  );
  expect(await refusal([entry('https://host/a', 'a.zip', { species_label: '*' })])).toContain('write “A/*” there');
  expect(await refusal([entry('https://host/a', 'a.zip', { classes: { A: 'B' } })])).toContain(
    'entry 1, classes: goes',
  );
  expect(await refusal([entry('https://host/a', 'a.zip', { ...star, classes: { A: 'a/b' } })])).toContain(
    'entry 1, classes: “a/b” is not a safe name',
  );
});

test('a list in CSV takes every folder without a further column', () => {
  const csv = 'file_url;downloaded_file_name;exploded_folder_name;species_label\nhttps://host/a;a.zip;*;*\n';
  expect(parseFileList(csv, 'list.csv')).toMatchObject([{ explodedFolderName: '*', speciesLabel: '*' }]);
});
