import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openZip } from '../../src/archive/open-zip.ts';
import { uploadArtifact } from '../../src/runner/artifact.ts';
import { startArtifactServer } from '../helpers/artifact-server.ts';
import { captureOutput, setEnvironment, temporaryFolder } from '../helpers/runner.ts';

async function files(): Promise<{ root: string; paths: string[] }> {
  const root = temporaryFolder();
  const paths = ['manifest.csv', 'report.html'].map((name) => join(root, name));
  for (const path of paths) await writeFile(path, `content of ${path.slice(root.length + 1)}`);
  return { root, paths };
}

function onRunner(variables: Readonly<Record<string, string | undefined>>): void {
  setEnvironment({
    GITHUB_ACTIONS: 'true',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_WORKSPACE: temporaryFolder(),
    ...variables,
  });
}

describe('an artifact', () => {
  test('holds the files under their names', async () => {
    const server = await startArtifactServer();
    onRunner(server.environment);
    const output = captureOutput();
    const { root, paths } = await files();
    await uploadArtifact('diatoms', paths, root);
    expect(output.text()).toContain('Artifact “diatoms”: 2 files,');
    expect(output.text()).not.toContain('::warning::');
    const { zip, size } = server.artifacts.get('diatoms') ?? {};
    expect(size).toBe(String(zip?.length));
    const path = join(root, 'artifact.zip');
    await writeFile(path, zip ?? '');
    const opened = await openZip(path, { name: 'artifact' });
    const contents = await Promise.all(
      opened.entries.map(async (entry) => [entry.path, String(await opened.read(entry))]),
    );
    await opened.close();
    expect(contents).toEqual([
      ['manifest.csv', 'content of manifest.csv'],
      ['report.html', 'content of report.html'],
    ]);
  });

  test.each([
    ['no token of a runner', { ACTIONS_RUNTIME_TOKEN: undefined, ACTIONS_RESULTS_URL: undefined }],
    ['GitHub Enterprise Server', { GITHUB_SERVER_URL: 'https://github.university.example' }],
  ])('with %s is a warning that says where the files are', async (_, variables) => {
    const server = await startArtifactServer();
    onRunner({ ...server.environment, ...variables });
    const output = captureOutput();
    const { root, paths } = await files();
    await uploadArtifact('diatoms', paths, root);
    expect(output.text()).toMatch(/::warning::Artifact “diatoms” was not uploaded: .+\. The files are still in /);
    expect(output.text()).toContain(root);
    expect(server.artifacts.size).toBe(0);
  });

  test('that the service refuses is a warning, not a failure', async () => {
    onRunner((await startArtifactServer({ refuse: true })).environment);
    const output = captureOutput();
    const { root, paths } = await files();
    await uploadArtifact('diatoms', paths, root);
    expect(output.text()).toMatch(/::warning::Artifact “diatoms” was not uploaded: .+\. The files are still in /);
  });
});
