import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type ActionResult, runAction } from '../../scripts/run-action.ts';
import { startFileServer } from '../../scripts/stand-ins/file-server.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { bmp, tinyFileList, writeTinyDataSet } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'src', 'prepare-data', 'main.ts');

/** A check of a data set that is ready, in a job whose other steps ended like that; or of one without these zips. */
async function checkWith(checkAlso: string, gone: readonly string[] = [], gate = ''): Promise<ActionResult> {
  const zips = temporaryFolder('zips');
  writeTinyDataSet(zips);
  for (const name of gone) rmSync(join(zips, name));
  const files = await startFileServer(zips);
  try {
    const fileList = JSON.stringify(tinyFileList(files.url));
    return await runAction({
      action: 'prepare-data',
      workspace: temporaryFolder('workspace'),
      inputs: { 'file-list': fileList, check: 'true', upload: 'false', 'check-also': checkAlso, 'check-gate': gate },
      program: PROGRAM,
    });
  } finally {
    await files.close();
  }
}

/** The rows of the summary’s tables, and how many tables there are. */
function tablesOf({ summary }: ActionResult) {
  return {
    tables: summary.match(/^\| --- /gm)?.length,
    rows: summary.split('\n').filter((line) => /^\| (?:✅|❌|⚠️)/u.test(line)),
  };
}

test('a check shows in its one table what other steps have checked', async () => {
  const checked = await checkWith('Registry=success\nMirror=skipped');
  expect(checked.exitCode, checked.stdout).toBe(0);
  const { tables, rows } = tablesOf(checked);
  expect(tables).toBe(1);
  expect(rows[0]).toMatch(/File list/);
  expect(rows.slice(-2)).toEqual(['| ✅ | Registry | ready |', '| ✅ | Mirror | not checked |']);
});

test.each(['failure', 'cancelled'])('a check is red when another step ended with %s', async (outcome) => {
  const checked = await checkWith(`Registry=${outcome}`);
  expect(checked.exitCode).toBe(1);
  expect(checked.stdout).toMatch(/::error::A run would fail:.*Registry: not ready/);
  expect(tablesOf(checked).rows.at(-1)).toBe('| ❌ | Registry | not ready: the log of its step says why |');
});

test('a check names a zip that can’t be downloaded, and only once', async () => {
  const checked = await checkWith('', ['hannaea-1.zip']);
  expect(checked.exitCode).toBe(1);
  expect(checked.stdout).toMatch(/::error::A run would fail:%0A- hannaea-1\.zip: The server \S+ answers 404/);
  expect(tablesOf(checked).rows).toContainEqual(
    expect.stringMatching(/^\| ❌ \| hannaea-1.zip \| The server \S+ answers 404/),
  );
});

test('a check is red when the gate names a class that is no label, and says which labels there are', async () => {
  const fine = await checkWith('', [], 'accuracy >= 0.8, recall[Hannaea] >= 0.7');
  expect(fine.exitCode, fine.stdout).toBe(0);
  expect(tablesOf(fine).rows.at(-1)).toBe('| ✅ | Gate | 2 to pass; every class that it names is a label (1) |');
  const wrong = await checkWith('', [], 'accuracy >= 0.8, recall[hannea] >= 0.7, f1["navicula, sp."] > 0.5');
  expect(wrong.exitCode).toBe(1);
  expect(wrong.stdout).toMatch(
    /Gate: no model of this data set could pass: .*asks for recall\[hannea\], f1\["navicula, sp\."\]/,
  );
  expect(wrong.stdout).toContain('It has ');
  const broken = await checkWith('', [], 'accuracy > 80 %');
  expect(broken.stdout).toMatch(/Gate: Input gate, line 1/);
});

test('a check names a class of the data set before that is not in the list any more, and is red with shrink: error', async () => {
  const [zips, workspace] = [temporaryFolder('zips'), temporaryFolder('workspace')];
  writeTinyDataSet(zips);
  const files = await startFileServer(zips);
  onTestFinished(() => files.close());
  const all = tinyFileList(files.url);
  const act = (inputs: Readonly<Record<string, string>>) => {
    const given = { split: 'keep', upload: 'false', 'n-test': '3', 'broken-images': 'keep', ...inputs };
    return runAction({ action: 'prepare-data', workspace, inputs: given, program: PROGRAM });
  };
  const made = await act({ 'file-list': JSON.stringify(all), 'archive-content': 'results' });
  expect(made.exitCode, made.stdout).toBe(0);
  const checked = { check: 'true', previous: made.outputs['archive-name'] ?? '' };
  const lastRows = async (list: readonly unknown[], inputs: Readonly<Record<string, string>> = {}) => {
    const result = await act({ ...checked, 'file-list': JSON.stringify(list), ...inputs });
    return { ...result, rows: tablesOf(result).rows.filter((row) => row.includes('| Classes |')) };
  };

  const same = await lastRows(all);
  expect(same.rows).toEqual(['| ✅ | Classes | all classes of the data set before are there |']);

  const fewer = all.filter(({ species_label: label }) => label !== 'Gomphonema');
  const warned = await lastRows(fewer);
  expect(warned.exitCode, warned.stdout).toBe(0);
  expect(warned.rows).toEqual(['| ⚠️ | Classes | The class “Gomphonema” has vanished; it had 10 images. |']);
  expect(warned.stdout).toMatch(/::warning::Classes: The class “Gomphonema” has vanished/);

  const refused = await lastRows(fewer, { shrink: 'error' });
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toMatch(
    /::error::A run would fail:%0A- Classes: The class “Gomphonema” has vanished.*shrink: warn/,
  );

  const small = {
    entries: Array.from({ length: 4 }, (_, index) => ({ name: `Gomphonema/${index}.bmp`, data: bmp(50 + index) })),
  };
  writeFileSync(join(zips, 'gomphonema.zip'), buildZip(small));
  const shrunk = await lastRows(all);
  expect(shrunk.rows).toEqual([
    '| ⚠️ | Classes | The class “Gomphonema” has lost at least 6 of the 10 images that it had. |',
  ]);
});

const CLASSES = buildZip({
  entries: [
    ...Array.from({ length: 5 }, (_, index) => ({ name: `set/Hannaea/${index}.bmp`, data: bmp(index) })),
    ...Array.from({ length: 9 }, (_, index) => ({ name: `set/Cymbella/${index}.bmp`, data: bmp(20 + index) })),
    { name: 'set/Cymbella/.DS_Store', data: 'x' },
  ],
});

/** A check of one zip at that address. */
function checkZip(url: string, entry: Readonly<Record<string, string>>, gate = ''): Promise<ActionResult> {
  const fileList = [{ file_url: `${url}set.zip`, downloaded_file_name: 'set.zip', ...entry }];
  return runAction({
    action: 'prepare-data',
    workspace: temporaryFolder('workspace'),
    inputs: { 'file-list': JSON.stringify(fileList), check: 'true', upload: 'false', 'check-gate': gate },
    program: PROGRAM,
  });
}

const EVERY_FOLDER = { exploded_folder_name: '*', species_label: '*' };

test('where every folder is a class, a check names these with their numbers of images, and knows what the gate may ask for', async () => {
  const zips = temporaryFolder('zips');
  writeFileSync(join(zips, 'set.zip'), CLASSES);
  const files = await startFileServer(zips);
  try {
    const fine = await checkZip(files.url, EVERY_FOLDER, 'recall[Hannaea] >= 0.7');
    expect(fine.exitCode, fine.stdout).toBe(0);
    const { rows } = tablesOf(fine);
    expect(rows[0]).toBe('| ✅ | File list | 1 zip, 2 labels |');
    expect(rows[1]).toMatch(/can be downloaded, .*\. Its folders: Cymbella \(9 images\), Hannaea \(5 images\) \|$/);
    expect(rows.at(-1)).toMatch(/1 to pass; every class that it names is a label/);
    const wrong = await checkZip(files.url, EVERY_FOLDER, 'recall[Navicula] >= 0.7');
    expect(wrong.stdout).toMatch(/Gate: no model of this data set could pass: .*recall\[Navicula\]/);
    const absent = await checkZip(files.url, { exploded_folder_name: 'Navicula', species_label: 'Navicula' });
    expect(absent.stdout).toMatch(/::error::A run would fail:.*no folder “Navicula”.*“set\/Cymbella”/);
  } finally {
    await files.close();
  }
});

test('a check is red when a label has not one image', async () => {
  const zips = temporaryFolder('zips');
  writeFileSync(join(zips, 'set.zip'), buildZip({ entries: [{ name: 'Hannaea/a.jfif', data: 'x' }] }));
  const files = await startFileServer(zips);
  try {
    const empty = await checkZip(files.url, { exploded_folder_name: 'Hannaea', species_label: 'Hannaea' });
    expect(empty.exitCode).toBe(1);
    expect(empty.stdout).toMatch(/File list: 1 zip, 1 label; no image of “Hannaea”/);
  } finally {
    await files.close();
  }
});

test('where a server shows no directory, a check leaves the names of the classes open', async () => {
  const server = await startServer((_, response) => response.end(CLASSES));
  const checked = await checkZip(`${server.origin}/`, EVERY_FOLDER, 'recall[Navicula] >= 0.7');
  expect(checked.exitCode, checked.stdout).toBe(0);
  const { rows } = tablesOf(checked);
  expect(rows[0]).toBe('| ✅ | File list | 1 zip, a label for each of the folders of 1 zip |');
  expect(rows.at(-1)).toMatch(/only the folders of its zips tell/);
});

test('an entry that can’t be used refuses its zip only when a folder that is asked for holds it', async () => {
  const zips = temporaryFolder('zips');
  const images = Array.from({ length: 5 }, (_, index) => ({ name: `Hannaea/${index}.bmp`, data: bmp(index) }));
  writeFileSync(join(zips, 'set.zip'), buildZip({ entries: [...images, { name: 'm:n.png', data: 'x' }] }));
  const files = await startFileServer(zips);
  try {
    const beside = await checkZip(files.url, { exploded_folder_name: 'Hannaea', species_label: 'Hannaea' });
    expect(beside.exitCode, beside.stdout).toBe(0);
    const wanted = await checkZip(files.url, { exploded_folder_name: '.', species_label: 'Hannaea' });
    expect(wanted.stdout).toMatch(
      /::error::A run would fail:.*its entry “m:n\.png” has a name that begins with a letter/,
    );
  } finally {
    await files.close();
  }
});

test('a check of a zip whose size no server tells says that the disk’s need is not known', async () => {
  const zip = buildZip({ entries: [{ name: 'h/a.bmp', data: bmp(1) }] });
  const server = await startServer((request, response) => {
    // Without a length, as pages that are made for each request.
    response.writeHead(200).write(request.method === 'HEAD' ? '' : zip);
    response.end();
  });
  const list = tinyFileList(`${server.origin}/`).slice(0, 1);
  const checked = await runAction({
    action: 'prepare-data',
    workspace: temporaryFolder('workspace'),
    inputs: { 'file-list': JSON.stringify(list), check: 'true', upload: 'false' },
    program: PROGRAM,
  });
  expect(tablesOf(checked).rows).toContainEqual(
    expect.stringMatching(/Disk \| .* free at .*; how much is needed is not known/),
  );
});
