import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';
import { makeSettings } from '../../scripts/start/new.ts';
import { parseFileList } from '../../src/dataset/file-list.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const LINK = 'https://cloud.example.org/s/AbCdEf';

/** Somebody who answers one question after the other. */
function person(answers: readonly string[]) {
  const left = [...answers];
  return {
    left,
    ask: async (question: string) => {
      const answer = left.shift();
      if (answer === undefined) throw new Error(`There is no answer to “${question}”`);
      return answer;
    },
  };
}

const OWN = ['2', LINK, '', 'https://cloud.example.org', 'ada', '', 'baltic', '1'];

test('answers become settings that are right, a list that is right, and the template’s workflow', async () => {
  const folder = temporaryFolder();
  const { ask, left } = person(OWN);
  const text = await makeSettings(folder, ask);
  expect(left).toEqual([]);
  const settings = readFileSync(join(folder, '.github', 'diatoms.yml'), 'utf8');
  const { parts } = readSettings(settings, { where: 'x', isPublic: true, inWorkflow: true });
  expect(parts.publish['model-name']).toBe('baltic');
  expect(parts.data).toMatchObject({ 'owncloud-url': 'https://cloud.example.org', 'owncloud-folder': 'data sets' });
  const [entry] = parseFileList(readFileSync(join(folder, 'file-list.csv')), 'x');
  expect(entry).toMatchObject({ fileUrl: LINK, explodedFolderName: '*', speciesLabel: '*' });
  expect(readFileSync(join(folder, '.github', 'workflows', 'diatom-model.yml'), 'utf8')).toBe(
    readFileSync(join(ROOT, 'templates', 'workflows', 'pipeline.yml'), 'utf8'),
  );
  const packed = /FILE_LIST\n {2}(\S+)\n/.exec(text)?.[1] ?? '';
  expect(parseFileList(packed, 'x')).toEqual([entry]);
  expect(text).toContain('OWNCLOUD_PASSWORD');
});

test('links stay out of the settings and out of the repository', async () => {
  const folder = temporaryFolder();
  await writeFile(join(folder, '.gitignore'), 'node_modules');
  await makeSettings(folder, person(OWN).ask);
  expect(readFileSync(join(folder, '.github', 'diatoms.yml'), 'utf8')).not.toContain(LINK);
  expect(readFileSync(join(folder, '.gitignore'), 'utf8')).toBe('node_modules\n/file-list.csv\n');
});

test('a cluster gets its section and its secrets, and what makes no sense is asked again', async () => {
  const folder = temporaryFolder();
  await mkdir(join(folder, '.git'));
  await writeFile(join(folder, '.git', 'config'), '[remote "origin"]\n\turl = git@github.com:lab/diatoms.git\n');
  const zips = ['3', '1', 'no link', LINK, '', 'Hannaea, arcus', ''];
  const { ask } = person([
    ...zips,
    'cloud',
    'https://cloud.example.org',
    'ada',
    'x',
    'a/b',
    'm',
    '2',
    'login.x.org',
    'me',
    'login.x.org ssh-ed25519 AAAA',
    'gpu',
  ]);
  const text = await makeSettings(folder, ask);
  const settings = readFileSync(join(folder, '.github', 'diatoms.yml'), 'utf8');
  const { parts } = readSettings(`${settings}`, { where: 'x', isPublic: false, inWorkflow: true });
  expect(parts['gpu-server']).toMatchObject({ driver: 'slurm', 'ssh-host': 'login.x.org', 'slurm-partition': 'gpu' });
  expect(text).toContain('https://github.com/lab/diatoms/settings/secrets/actions/new');
  for (const name of ['SSH_KEY', 'RUNNER_TOKEN']) expect(text).toContain(name);
  expect(parseFileList(readFileSync(join(folder, 'file-list.csv')), 'x')).toMatchObject([
    { speciesLabel: 'Hannaea, arcus' },
  ]);
});

test('nothing that is there is replaced, and nothing is asked then', async () => {
  const folder = temporaryFolder();
  await mkdir(join(folder, '.github'));
  await writeFile(join(folder, '.github', 'diatoms.yml'), 'mine');
  await expect(makeSettings(folder, person([]).ask)).rejects.toThrow('is there already, and is not replaced');
  expect(readFileSync(join(folder, '.github', 'diatoms.yml'), 'utf8')).toBe('mine');
  expect(existsSync(join(folder, 'file-list.csv'))).toBe(false);
});
