import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packFileList } from '../../../scripts/start/pack.ts';
import { parseFileList } from '../../../src/dataset/file-list.ts';
import { failureOf } from '../../helpers/failure.ts';
import { temporaryFolder } from '../../helpers/runner.ts';

function saved(text: string): string {
  const path = join(temporaryFolder('list'), 'my-list.csv');
  writeFileSync(path, text);
  return path;
}

test('a list becomes one line that is read as the list was', async () => {
  const text =
    'file_url;downloaded_file_name;exploded_folder_name;species_label;n_test;um_per_pixel\nhttps://x.org/a;a.zip;N. sp.;N;20%;0.25\n';
  const { line, note } = await packFileList(saved(text));
  expect(line).toMatch(/^H4sI[A-Za-z0-9+/=]+$/);
  expect(parseFileList(line, 'secret')).toEqual(parseFileList(text, 'my-list.csv'));
  expect(note).toBe(
    '1 zip, 1 label. Copy this line into the secret FILE_LIST. It holds the addresses: whoever sees it can use them.',
  );
});

test('a list that no secret holds is said to be too long, and what to do', async () => {
  const rows = Array.from({ length: 3_000 }, (_, index) => `https://x.org/${Math.sin(index)},${index}.zip,.,N`);
  const { note } = await packFileList(
    saved(`file_url,downloaded_file_name,exploded_folder_name,species_label\n${rows.join('\n')}`),
  );
  expect(note).toMatch(/^3000 zips, 1 label\. This line has \d+ bytes, and a secret holds 49152: put the list/);
});

test('a list with faults is refused with all of them', async () => {
  const failure = await failureOf(packFileList(saved('file_url,species_label\nhttps://x.org/a,a/b\n')));
  expect(failure.message).toContain('entry 1, species_label: “a/b” is not a safe name');
  expect(failure.message).toContain('entry 1, downloaded_file_name: is missing');
});
