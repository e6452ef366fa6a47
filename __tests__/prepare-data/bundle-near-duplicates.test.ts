import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCsv } from '../../src/dataset/csv.ts';
import { asJpeg, asPng, changed, drawing, mirrored, turned } from '../helpers/drawings.ts';
import { prepareDataFixture } from '../helpers/prepare-data.ts';
import { buildZip } from '../helpers/zip-builder.ts';

type Fixture = Awaited<ReturnType<typeof prepareDataFixture>>;

/** Eight specimens in each of two classes; of the first four, another file shows the same. */
function serve({ zips, fileList }: Fixture): string {
  const url = (fileList[0]?.file_url ?? '').replace(/hannaea-1\.zip.*/, '');
  const list = [0, 1].map((label) => {
    const entries = Array.from({ length: 8 }, (_, at) => {
      const picture = drawing(20 * label + at);
      const again = [
        asJpeg(picture),
        asPng(turned(picture)),
        asPng(mirrored(picture)),
        asJpeg(changed(picture, (v) => v * 0.8)),
      ];
      const copy = again[at];
      return [
        { name: `s/${at}.png`, data: asPng(picture) },
        ...(copy ? [{ name: `s/${at}-again.${at % 3 === 0 ? 'jpg' : 'png'}`, data: copy }] : []),
      ];
    });
    const odd = { name: 's/cut.png', data: asPng(drawing(99 + label)).subarray(0, 3_000) };
    writeFileSync(join(zips, `${label}.zip`), buildZip({ entries: [...entries.flat(), odd] }));
    return {
      file_url: `${url}${label}.zip`,
      downloaded_file_name: `${label}.zip`,
      exploded_folder_name: 's',
      species_label: `Species ${label}`,
    };
  });
  return JSON.stringify(list);
}

/** Sides by the names of the images, without what makes them another file. */
function sidesOf(fixture: Fixture): Map<string, Set<string>> {
  const sides = new Map<string, Set<string>>();
  for (const row of parseCsv(readFileSync(join(fixture.workspace, 'data/results/manifest.csv'), 'utf8'))) {
    const name = `${row.get('source_zip')} ${row.get('source_path')?.replace(/(-again)?\.\w+$/, '')}`;
    const split = row.get('split') ?? '';
    if (split !== 'left-out') sides.set(name, (sides.get(name) ?? new Set()).add(split));
  }
  return sides;
}

function straddling(fixture: Fixture): string[] {
  return [...sidesOf(fixture)].filter(([, sides]) => sides.size > 1).map(([name]) => name);
}

const inputs = { 'n-test': '4', upload: 'false', 'broken-images': 'leave-out', 'archive-content': 'results' };
const read = ({ workspace }: Fixture, name: string) => readFileSync(join(workspace, 'data/results', name), 'utf8');

test('near-duplicates across train and test are listed, with both pictures in the report', async () => {
  const fixture = await prepareDataFixture();
  const { exitCode, stdout, summary } = await fixture.run({ ...inputs, 'file-list': serve(fixture) });
  expect(exitCode, stdout).toBe(0);
  const expected = straddling(fixture);
  expect(expected.length).toBeGreaterThan(0);
  const rows = parseCsv(read(fixture, 'near-duplicates.csv'));
  const nameOf = (path = '') => path.replace(/^\w+\/Species (\d)\/(\d).*$/, '$1.zip s/$2');
  expect(rows.map((row) => nameOf(row.get('test_path'))).sort()).toEqual(expected.sort());
  for (const row of rows) expect(nameOf(row.get('train_path'))).toBe(nameOf(row.get('test_path')));
  const pairs = read(fixture, 'report.html').split('<ul class="pairs">')[1]?.split('</section>')[0] ?? '';
  expect(pairs.match(/<img /g)).toHaveLength(2 * expected.length);
  for (const row of rows)
    for (const column of ['test_path', 'train_path'])
      expect(pairs).toContain(`href="${encodeURI(row.get(column) ?? '')}"`);
  expect(summary).toContain('near-duplicates: together');
});

test('near-duplicates: together keeps images that look alike on one side', async () => {
  const fixture = await prepareDataFixture();
  for (const seed of ['one', 'two']) {
    const given = { ...inputs, 'file-list': serve(fixture), seed, 'near-duplicates': 'together' };
    const { exitCode, stdout, outputs } = await fixture.run(given);
    expect(exitCode, stdout).toBe(0);
    expect(straddling(fixture)).toEqual([]);
    // Of each class four are drawn, of which one may be broken.
    expect(Number(outputs['test-count'])).toBeGreaterThanOrEqual(6);
    expect(existsSync(join(fixture.workspace, 'data/results/near-duplicates.csv'))).toBe(false);
    expect(read(fixture, 'report.html')).toContain('No test image looks like a training image');
  }
});

test('near-duplicates: off looks at nothing, and says nothing', async () => {
  const fixture = await prepareDataFixture();
  const { exitCode, stdout } = await fixture.run({ ...inputs, 'file-list': serve(fixture), 'near-duplicates': 'off' });
  expect(exitCode, stdout).toBe(0);
  expect(existsSync(join(fixture.workspace, 'data/results/near-duplicates.csv'))).toBe(false);
  expect(read(fixture, 'report.html')).not.toContain('Near-duplicates');
});

test('near-duplicates: together and low-disk do not go together', async () => {
  const fixture = await prepareDataFixture();
  const given = {
    ...inputs,
    upload: 'true',
    'low-disk': 'true',
    'near-duplicates': 'together',
    'file-list': serve(fixture),
  };
  const { exitCode, stdout } = await fixture.run(given);
  expect(exitCode).toBe(1);
  expect(stdout).toContain('near-duplicates: together, for which all zips have to be here');
});
