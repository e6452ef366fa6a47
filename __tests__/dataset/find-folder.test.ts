import { describe, expect, test } from 'vitest';
import { findFolder as findAmong, foldersOf } from '../../src/dataset/find-folder.ts';
import { failureOf } from '../helpers/failure.ts';

const findFolder = (wanted: string, paths: readonly string[], zipName: string) =>
  findAmong(wanted, foldersOf(paths), zipName);

const PATHS = ['export/Hannaea/1.jpg', 'export/Hannaea/deep/2.jpg', 'export/Gomphonéma/3.jpg', 'readme.txt'];

describe('the folder of an entry', () => {
  test.each(['export', 'export/Hannaea', 'export/Hannaea/deep'])('%s is found as it is written', (folder) => {
    expect(findFolder(folder, PATHS, 'h.zip')).toEqual({ folder, warning: undefined });
  });

  test('“.” is the whole zip', () => {
    expect(findFolder('.', PATHS, 'h.zip')).toEqual({ folder: '', warning: undefined });
  });

  test.each([
    ['EXPORT/hannaea', 'export/Hannaea'],
    ['export/Gomphone\u0301ma', 'export/Gomphonéma'],
    ['Hannaea', 'export/Hannaea'],
    ['hannaea/DEEP', 'export/Hannaea/deep'],
  ])('%s is found in another form or place, with a warning', (wanted, folder) => {
    const warning = `h.zip: the folder “${wanted}” was found as “${folder}”.`;
    expect(findFolder(wanted, PATHS, 'h.zip')).toEqual({ folder, warning });
  });

  test('the exact spelling wins over others', () => {
    const paths = ['hannaea/1.jpg', 'Hannaea/1.jpg', 'x/hannaea/1.jpg'];
    expect(findFolder('hannaea', paths, 'h.zip')).toEqual({ folder: 'hannaea', warning: undefined });
    expect(findFolder('hannaea', paths.slice(1), 'h.zip').folder).toBe('Hannaea');
  });

  test('part of a folder’s name is not the folder', async () => {
    const error = await failureOf(() => findFolder('annaea', PATHS, 'h.zip'));
    expect(error.code).toBe('FILE_LIST');
  });

  test('one that is not there is an error that lists those which are', async () => {
    const { message } = await failureOf(() => findFolder('Navicula', PATHS, 'h.zip'));
    expect(message).toBe(
      'h.zip: the zip has no folder “Navicula” (exploded_folder_name). The zip has: “export”, “export/Gomphonéma”, “export/Hannaea”, “export/Hannaea/deep”.',
    );
  });

  test('a zip without folders says what to write instead', async () => {
    const { message } = await failureOf(() => findFolder('Navicula', ['1.jpg'], 'h.zip'));
    expect(message).toContain('The zip has no folders; if its files at the top are meant, write “.”');
  });

  test('very many folders are counted, not all listed', async () => {
    const paths = Array.from({ length: 25 }, (_, index) => `f${String(index).padStart(2, '0')}/1.jpg`);
    const { message } = await failureOf(() => findFolder('Navicula', paths, 'h.zip'));
    expect(message).toContain('“f19” and 5 more.');
    expect(message).not.toContain('“f20”');
  });

  test('one name in two places is an error that names both', async () => {
    const paths = ['2025/Hannaea/1.jpg', '2026/Hannaea/1.jpg'];
    const { code, message } = await failureOf(() => findFolder('Hannaea', paths, 'h.zip'));
    expect(code).toBe('FILE_LIST');
    expect(message).toContain('fits more than one folder of the zip: “2025/Hannaea”, “2026/Hannaea”.');
  });
});
