import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hoursText, type ServerHours } from '../../src/model/gpu-hours.ts';
import { gpuUseOf, gpuUseText } from '../../src/publish-model/gpu-use.ts';
import { summaryMarkdown } from '../../src/publish-model/summary.ts';
import { modelDir, pageOf, publishTask, recordOf, runPublish } from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';

const RUN = { repository: 'example/diatoms', runId: '7', artifactName: 'model' };

function row(server: string, changes: Partial<ServerHours> = {}): ServerHours {
  const [start, deadline] = [new Date('2026-11-01T00:00:00Z'), new Date('2026-11-01T10:00:00Z')];
  return {
    server,
    repository: RUN.repository,
    start,
    deadline,
    hours: 2,
    pricePerHour: 3,
    currency: 'EUR',
    ...changes,
  };
}

describe('what the GPU servers of a training have run', () => {
  test('is the sum of all attempts of its run, and of nobody else', () => {
    const rows = [
      row('diatom-7-1-model'),
      row('diatom-7-1-model-retry-2', { hours: 1 }),
      row('diatom-7-2-model', { hours: 0.5 }),
      row('diatom-8-1-model'),
      row('diatom-7-1-model', { repository: 'example/others' }),
      row('a machine'),
    ];
    expect(gpuUseOf(rows, RUN)).toEqual({ hours: 3.5, cost: 10.5, currency: 'EUR', at_most: false });
    expect(gpuUseOf(rows, { ...RUN, runId: '9' })).toBeUndefined();
  });

  test('is that of the artifact’s name where a run has several trainings, and of any name where it has one', () => {
    const two = [row('diatom-7-1-lake'), row('diatom-7-1-lake-retry-3'), row('diatom-7-1-sea', { hours: 5 })];
    expect(gpuUseOf(two, { ...RUN, artifactName: 'lake' })).toMatchObject({ hours: 4 });
    expect(gpuUseOf(two, { ...RUN, artifactName: 'sea' })).toMatchObject({ hours: 5 });
    expect(gpuUseOf(two, RUN)).toBeUndefined();
    expect(gpuUseOf([row('diatom-7-1-a-key')], RUN)).toMatchObject({ hours: 2 });
  });

  test('counts to the deadline where nobody has seen the end, and has no cost without a price of each in one currency', () => {
    const open = gpuUseOf([row('diatom-7-1-model', { hours: undefined })], RUN);
    expect(open).toEqual({ hours: 10, cost: 30, currency: 'EUR', at_most: true });
    expect(open && gpuUseText(open)).toBe('at most 10 h, 30.00 EUR');
    for (const changes of [{ pricePerHour: undefined }, { currency: 'USD' }]) {
      const use = gpuUseOf([row('diatom-7-1-model'), row('diatom-7-2-model', changes)], RUN);
      expect(use).toMatchObject({ hours: 4, cost: null });
      expect(use && gpuUseText(use)).toBe('4 h');
    }
  });
});

test('a version says what its training has cost: in its record, in the summary, and on the page of all versions', async () => {
  const { url, directory } = await ownServer();
  await mkdir(join(directory, 'data sets'));
  await writeFile(join(directory, 'data sets', 'gpu-hours.csv'), hoursText([row('diatom-7-1-model')]));
  const context = { env: { GITHUB_REPOSITORY: RUN.repository, GITHUB_RUN_ID: RUN.runId } };
  const outcome = await runPublish({ url, task: publishTask(await modelDir('a'), 'v1'), context });
  expect(recordOf(directory, 'v1').gpu).toEqual({ hours: 2, cost: 6, currency: 'EUR', at_most: false });
  expect(summaryMarkdown(outcome, { warnings: [], failure: undefined })).toContain('| GPU servers | 2 h, 6.00 EUR |');
  expect(pageOf(directory)).toContain('GPU servers: 2 h, 6.00 EUR');
});

test.each([
  ['that can’t be read', 'a table of somebody else'],
  ['that is not there', undefined],
])('a file of hours %s keeps no model waiting', async (_, text) => {
  const { url, directory } = await ownServer();
  await mkdir(join(directory, 'data sets'));
  if (text !== undefined) await writeFile(join(directory, 'data sets', 'gpu-hours.csv'), text);
  const context = { env: { GITHUB_REPOSITORY: RUN.repository, GITHUB_RUN_ID: RUN.runId } };
  const outcome = await runPublish({ url, task: publishTask(await modelDir('a'), 'v1'), context });
  expect(outcome).toMatchObject({ promoted: true, warnings: [] });
  expect(recordOf(directory, 'v1').gpu).toBeUndefined();
});
