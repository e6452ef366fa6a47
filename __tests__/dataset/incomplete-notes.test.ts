import { describe, expect, test } from 'vitest';
import { isIncompleteNote, requireComplete, suspicion } from '../../src/dataset/incomplete-notes.ts';
import { failureOf } from '../helpers/failure.ts';

const missing = async (path: string, text: string) =>
  (await failureOf(async () => requireComplete('h.zip', path, text))).message;

describe('a zip that says what it lacks is refused with its own words', () => {
  test('Nextcloud’s missing_files.json', async () => {
    const note = { '/Diatoms/a.png': 'File could not be opened.', '/Diatoms/b.png': 'Read 60 out of 312 bytes.' };
    expect(await missing('missing_files.json', JSON.stringify(note))).toBe(
      [
        'The zip “h.zip” is not complete: its missing_files.json, written by Nextcloud, names 2 files that it lacks.',
        '  /Diatoms/a.png: File could not be opened.',
        '  /Diatoms/b.png: Read 60 out of 312 bytes.',
        'Download or make it again, in smaller parts if it is too large for its server, until nothing is missing. If it is right without these files, zip the folder again without that note.',
      ].join('\n'),
    );
  });

  test('a missing_files.json that is no JSON is quoted as it stands', async () => {
    expect(await missing('Diatoms/missing_files.json', 'a.png is gone')).toContain(
      'a file that it lacks.\n  a.png is gone\n',
    );
  });

  test('Dataverse’s MANIFEST.TXT, with bundles that grew too large and with restricted files', async () => {
    const skipped =
      'b.png (image/png)  skipped because the total size of the download bundle exceeded the limit of 9 bytes.';
    const restricted = 'c.png IS RESTRICTED AND CANNOT BE DOWNLOADED';
    const text = ['a.png (image/png) 19 bytes.', skipped, restricted, ''].join('\r\n');
    expect(await missing('MANIFEST.TXT', text)).toContain(
      `names 2 files that it lacks.\n  ${skipped}\n  ${restricted}\nDownload`,
    );
  });

  test('a BagIt bag’s fetch.txt, without the addresses in it', async () => {
    const text = 'https://example.org/a?token=SECRET 312 data/a.png\nhttps://example.org/b - data/b c.png\n';
    const message = await missing('bag/fetch.txt', text);
    expect(message).toContain('2 files that it lacks.\n  data/a.png\n  data/b c.png\n');
    expect(message).not.toContain('SECRET');
  });

  test('of many files a few are quoted, and the number of the others', async () => {
    const note = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`${index}.png`, 'gone']));
    expect(await missing('missing_files.json', JSON.stringify(note))).toContain('  4.png: gone\n  … and 7 more\n');
  });
});

test('a note that names nothing missing is fine', () => {
  expect(() => requireComplete('h.zip', 'MANIFEST.TXT', 'a.png (image/png) 19 bytes.\r\n')).not.toThrow();
  expect(() => requireComplete('h.zip', 'missing_files.json', '{}')).not.toThrow();
  expect(() => requireComplete('h.zip', 'bag/fetch.txt', '')).not.toThrow();
});

describe('a file of an unknown writer whose name suggests missing files is quoted in a warning', () => {
  test.each(['missing_files.txt', 'download_errors.txt', 'Errors.txt', 'set/failed files.csv', 'not-downloaded.log'])(
    '%s',
    (path) => {
      expect(isIncompleteNote(path)).toBe(true);
      expect(() => requireComplete('h.zip', path, 'a.png')).not.toThrow();
      expect(suspicion('h.zip', path, '\n a.png: timed out\nb.png')).toMatch(/may name .* with “a.png: timed out”/);
      expect(suspicion('h.zip', path, ' \n')).toBeUndefined();
    },
  );

  test.each([
    'Hannaea/errors/a.txt',
    'mirrors.txt',
    'terrors.csv',
    'missing.png',
    'a/b/missing.txt',
    'missing_files.json',
  ])('but not %s', (path) => expect(suspicion('h.zip', path, 'a')).toBeUndefined());
});

test('a note lies at the top of a zip or in a folder there, and has its name in any case', () => {
  const paths = ['MANIFEST.TXT', 'x/MANIFEST.TXT', 'x/y/MANIFEST.TXT', 'manifest-md5.txt', 'missing_files.json.png'];
  expect(paths.filter(isIncompleteNote)).toEqual(['MANIFEST.TXT', 'x/MANIFEST.TXT']);
  expect(isIncompleteNote('manifest.txt')).toBe(true);
});
