import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readOwnSettings } from '../../../scripts/start/own-settings.ts';
import { setEnvironment, temporaryFolder } from '../../helpers/runner.ts';

const ENTRY =
  '[{"file_url":"https://example.org/h.zip","downloaded_file_name":"h.zip","exploded_folder_name":"H","species_label":"H"}]';
const ACCOUNT = 'owncloud: { url: "https://cloud.example.org", username: ada, password: secret MINE }';

async function repository(settings: string): Promise<string> {
  const folder = temporaryFolder();
  await mkdir(join(folder, '.github'));
  await writeFile(join(folder, '.github', 'diatoms.yml'), settings);
  await writeFile(join(folder, 'list.json'), ENTRY);
  setEnvironment({ INIT_CWD: folder });
  return folder;
}

test('on one’s own machine a secret is an environment variable of its name, whatever that is', async () => {
  await repository(
    `${ACCOUNT}\ndata: { files: secret MY_LIST }\npublish: { model-name: d, username: e, password: secret P, gate: 'recall[H] >= 0.8' }`,
  );
  const own = readOwnSettings('.github/diatoms.yml', false, { MY_LIST: ENTRY, P: 'hush' });
  expect(own.passwordVariable).toBe('MINE');
  expect(own.fileList).toEqual({ 'file-list': ENTRY });
  expect(own.data).toMatchObject({ 'owncloud-url': 'https://cloud.example.org', 'n-test': '20%' });
  expect(own.gate).toBe('recall[H] >= 0.8');
  expect(own.publish).toMatchObject({ 'models-password': 'hush' });
  expect(own.publish?.['settings']).not.toContain('hush');
});

test('paths count from the top folder of the repository', async () => {
  const folder = await repository('data: { files: list.json }');
  const own = readOwnSettings('.github/diatoms.yml', false, {});
  expect(own.fileList).toEqual({ 'file-list-path': join(folder, 'list.json') });
  expect(own.publish).toBeUndefined();
});

test('a variable that is missing, a file that is missing and a wrong one say so', async () => {
  await repository('data: { files: secret MY_LIST, n-tset: 1 }');
  expect(() => readOwnSettings('.github/diatoms.yml', false, {})).toThrow('.github/diatoms.yml:1:32: data.n-tset');
  await repository('data: { files: secret MY_LIST }');
  expect(() => readOwnSettings('.github/diatoms.yml', false, {})).toThrow(
    'the environment variable MY_LIST, which is not set',
  );
  expect(() => readOwnSettings('none.yml', false, {})).toThrow('There is no settings file');
});

test('a list that the person names stands for the one of the file, and its variable is not needed', async () => {
  await repository('data: { files: secret MY_LIST }');
  expect(readOwnSettings('.github/diatoms.yml', true, {}).fileList).toEqual({});
});

test('what only the workflows would refuse is known beforehand', async () => {
  await repository(`${ACCOUNT}\ndata: { files: list.json }`);
  expect(readOwnSettings('.github/diatoms.yml', false, {}).refusedOnGithub).toContain(
    'owncloud.password: names the secret MINE, and the workflows take it as OWNCLOUD_PASSWORD',
  );
  await repository(`${ACCOUNT.replace('MINE', 'OWNCLOUD_PASSWORD')}\ndata: { files: list.json }`);
  expect(readOwnSettings('.github/diatoms.yml', false, {}).refusedOnGithub).toBeUndefined();
});
