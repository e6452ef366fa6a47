import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { uploadArtifact } from '../../src/runner/artifact.ts';
import { downloadArtifact } from '../../src/runner/download-artifact.ts';
import { startArtifactServer } from '../helpers/artifact-server.ts';
import { failureOf } from '../helpers/failure.ts';
import { captureOutput, setEnvironment, temporaryFolder } from '../helpers/runner.ts';

async function runner() {
  const { environment } = await startArtifactServer();
  const workspace = temporaryFolder();
  setEnvironment({
    GITHUB_ACTIONS: 'true',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_WORKSPACE: workspace,
    ...environment,
  });
  return { workspace, output: captureOutput() };
}

test('an artifact of this run arrives with its files as they were', async () => {
  const { workspace } = await runner();
  const names = ['model.pth', 'classes.json'];
  for (const name of names) await writeFile(join(workspace, name), `content of ${name}`);
  await uploadArtifact(
    'model',
    names.map((name) => join(workspace, name)),
    workspace,
  );
  const folder = join(workspace, 'downloaded');
  await mkdir(folder);
  await downloadArtifact('model', folder);
  expect((await readdir(folder)).sort()).toEqual(names.toSorted());
  for (const name of names) expect(await readFile(join(folder, name), 'utf8')).toBe(`content of ${name}`);
});

test('an artifact that is not there is named, with what may be the cause', async () => {
  const { workspace } = await runner();
  const error = await failureOf(downloadArtifact('no model', workspace));
  expect(error.code).toBe('INPUT');
  expect(error.message).toContain('the artifact “no model” can’t be downloaded');
  expect(error.message).toContain('It has to be one of this workflow run');
});
