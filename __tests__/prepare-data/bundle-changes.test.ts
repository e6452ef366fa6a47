import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCsv } from '../../src/dataset/csv.ts';
import { contentsOf, errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const KEEP = { split: 'keep', 'archive-content': 'results', 'keep-data': 'false' };
const HERE = { ...KEEP, upload: 'false' };

const pictures = (colours: readonly number[]) =>
  colours.map((colour) => ({ name: `ä/${colour}.bmp`, data: bmp(colour) }));

/** A first data set in the workspace, and then other zips: an image less, two more, and one that has another label. */
async function changedFixture() {
  const fixture = await prepareDataFixture();
  const first = await fixture.run({ ...HERE, 'archive-prefix': 'first' });
  expect(first.exitCode, first.stdout).toBe(0);
  fixture.replaceZip('hannaea-2.zip', buildZip({ entries: pictures([31, 32, 33, 34, 35, 36, 200, 201, 3]) }));
  const specimens = [37, 50, 51, 52, 53, 54, 55, 56, 57, 58];
  const gomphonema = specimens.map((colour) => ({ name: `Gomphonema/${colour}.bmp`, data: bmp(colour) }));
  fixture.replaceZip('gomphonema.zip', buildZip({ entries: gomphonema }));
  return { ...fixture, previous: first.outputs['archive-name'] ?? '' };
}

/** Kind of change, class, class before, and file name, of what `changes.csv` tells. */
function told(csv: string): string[] {
  return parseCsv(csv).map((row) => {
    return [row.get('change'), row.get('label'), row.get('from_label'), row.get('path')?.split('/').at(-1)].join(' ');
  });
}

const CHANGES = [
  'added Hannaea  200.bmp',
  'added Hannaea  201.bmp',
  'relabelled Gomphonema Hannaea 37.bmp',
  // A file that was no picture, and the image 30: nobody remembers their names.
  'removed Gomphonema  ',
  'removed Hannaea  ',
];

describe('what has changed since the data set before', () => {
  test('is in changes.csv, in archive, report, log and summary', async () => {
    const { run, previous, workspace } = await changedFixture();
    const { outputs, exitCode, stdout, summary } = await run({ ...HERE, previous });
    expect(exitCode, stdout).toBe(0);
    const csv = readFileSync(join(workspace, 'data', 'results', 'changes.csv'), 'utf8');
    expect(told(csv)).toEqual(CHANGES);
    const archive = await contentsOf(outputs['archive-path'] ?? '');
    expect(String(archive.get('changes.csv'))).toBe(csv);
    // What is said about an image is found in the manifest.
    const manifest = parseCsv(String(archive.get('manifest.csv')));
    const placeOf = (row: Map<string, string>) => ['path', 'crc32', 'bytes'].map((column) => row.get(column)).join(' ');
    const places = new Set(manifest.map(placeOf));
    for (const row of parseCsv(csv)) if (row.get('path')) expect(places).toContain(placeOf(row));
    expect(String(archive.get('report.html'))).toMatch(
      /What has changed.*<bdi>Gomphonema<\/bdi><\/th><td[^>]*>0<\/td><td[^>]*>0<\/td><td[^>]*>1<\/td>/s,
    );
    expect(summary).toContain('| Gomphonema | 0 | 0 | 1 | 0 | 1 | 0 |\n| Hannaea | 2 | 0 | 0 | 1 | 1 | 0 |');
    expect(stdout).toContain('  Hannaea: 2 added, 1 relabelled from it, 1 removed\n');
  });

  test('is shown by a dry run too, which writes none of it', async () => {
    const { run, previous, workspace } = await changedFixture();
    const { exitCode, stdout, summary } = await run({ ...HERE, previous, 'dry-run': 'true' });
    expect(exitCode, stdout).toBe(0);
    expect(summary).toContain('| Hannaea | 2 | 0 | 0 | 1 | 1 | 0 |');
    // The folder is that of the first run.
    expect(readdirSync(join(workspace, 'data', 'results'))).not.toContain('changes.csv');
  });

  test('is nothing for the first data set of a line, which has no changes.csv', async () => {
    const { run, workspace } = await prepareDataFixture();
    const { exitCode, summary } = await run(HERE);
    expect(exitCode).toBe(0);
    expect(summary).not.toContain('Changes');
    expect(readdirSync(join(workspace, 'data', 'results'))).not.toContain('changes.csv');
  });

  test('ends the run before anything is archived when a class lost too much, with shrink: error', async () => {
    const { run, previous, workspace, replaceZip } = await changedFixture();
    replaceZip('gomphonema.zip', buildZip({ entries: pictures([51, 52, 53, 54]).map(inGomphonema) }));
    const before = readdirSync(workspace);
    const result = await run({ ...HERE, previous, shrink: 'error' });
    expect(errorOf(result)).toContain('The class “Gomphonema” has lost 6 of the 10 images that it had.\n');
    expect(errorOf(result)).toContain('run once with shrink: warn');
    expect(readdirSync(workspace)).toEqual(before);
    const warned = await run({ ...HERE, previous });
    expect(warned.exitCode, warned.stdout).toBe(0);
    expect(warned.stdout).toContain('::warning::The class “Gomphonema” has lost 6 of the 10 images that it had.');
  });
});

function inGomphonema({ name, data }: { readonly name: string; readonly data: Buffer }) {
  return { name: name.replace('ä/', 'Gomphonema/'), data };
}

test('a sides file has what the manifest has, with sums and groups, and all that is gone', async () => {
  const { run, previous } = await changedFixture();
  const { outputs } = await run({ ...HERE, previous, 'group-by': '^.+$' });
  const archive = outputs['archive-path'] ?? '';
  const columns = (row: Map<string, string>, side: string) =>
    ['sha256', 'crc32', 'bytes', side, 'group', 'label'].map((column) => row.get(column)).join(',');
  const sides = parseCsv(readFileSync(`${archive}.sides.csv`, 'utf8')).map((row) => columns(row, 'side'));
  const manifest = parseCsv(String((await contentsOf(archive)).get('manifest.csv'))).map((row) =>
    columns(row, 'split'),
  );
  const gone = sides.filter((row) => row.endsWith(',,'));
  expect(gone).toHaveLength(2);
  expect(sides.filter((row) => !gone.includes(row))).toEqual([...new Set(manifest)].sort());
});

// Linux is where parts of a file can be freed.
test.runIf(process.platform === 'linux')('low-disk keeps the same sides, and stores the same files', async () => {
  const { run, previous, cloud, workspace } = await changedFixture();
  const kept = await run({ ...HERE, previous });
  for (const ending of ['', '.sides.csv']) {
    copyFileSync(join(workspace, previous + ending), join(cloud.directory, `base.zip${ending}`));
  }
  const { outputs, exitCode, stdout } = await run({ ...KEEP, previous: 'base.zip', 'low-disk': 'true' });
  expect(exitCode, stdout).toBe(0);
  expect(outputs['archive-sha256']).toBe(kept.outputs['archive-sha256']);
  const stored = readFileSync(join(cloud.directory, `${outputs['archive-name']}.sides.csv`), 'utf8');
  expect(stored).toBe(readFileSync(`${kept.outputs['archive-path']}.sides.csv`, 'utf8'));
  expect(readdirSync(workspace).filter((name) => name.startsWith(outputs['archive-name'] ?? ''))).toEqual([]);
});
