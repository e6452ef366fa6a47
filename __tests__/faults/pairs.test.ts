import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { drawWhole, SEED, someOf } from '../helpers/draw.ts';
import { modelDir, publishTask, runPublish } from '../helpers/model.ts';
import { ownServer } from '../helpers/owncloud.ts';
import { errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sha256 } from '../helpers/served-zip.ts';
import { type Row, table } from '../helpers/table.ts';

/** How long after the first the second begins, in milliseconds. */
const pause = (name: string) => sleep(drawWhole(name, 0, 900));

/** Two runs in one folder: one has it, the other says so, or comes after its end. */
function oneFolder(name: string): () => Promise<void> {
  return async () => {
    const { start, workspace, cloud } = await prepareDataFixture();
    const first = start({ force: 'true' });
    await pause(name);
    const second = start({ force: 'true' });
    const results = await Promise.all([first.result, second.result]);
    const good = results.filter(({ exitCode }) => exitCode === 0);
    expect(good.length).toBeGreaterThan(0);
    for (const result of results) if (result.exitCode !== 0) expect(errorOf(result)).toContain('another run, begun');
    expectArchives(cloud.directory, good.length);
    expect(readdirSync(workspace)).toEqual(['data']);
  };
}

/** Two runs of two folders to one place on the server: both are stored, under two names. */
function twoFolders(name: string): () => Promise<void> {
  return async () => {
    const { start, cloud } = await prepareDataFixture();
    const first = start({ force: 'true' });
    await pause(name);
    const second = start({ force: 'true' }, {}, temporaryFolder('workspace'));
    const results = await Promise.all([first.result, second.result]);
    const good = results.filter(({ exitCode }) => exitCode === 0);
    // Begun in the same second they want the same name, and the later one is told.
    for (const result of results) if (result.exitCode !== 0) expect(errorOf(result)).toMatch(/name|another run/);
    expectArchives(cloud.directory, good.length);
  };
}

/** Archives under final names: each is what its run said, and all are equal. */
function expectArchives(folder: string, count: number): void {
  const archives = readdirSync(folder).filter((file) => file.endsWith('.zip'));
  expect(archives).toHaveLength(count);
  expect(new Set(archives.map((file) => sha256(readFileSync(join(folder, file))))).size).toBe(1);
}

/** Two publications of two versions: both are stored whole, and production is one of them. */
function twoVersions(name: string, versions: readonly [string, string]): () => Promise<void> {
  return async () => {
    const server = await ownServer();
    const patience = { staleMs: 3_600_000, waitMs: 60_000, pollMs: 5 };
    const publish = async (version: string, weights: string) =>
      runPublish({ url: server.url, task: publishTask(await modelDir(weights), version), context: { patience } });
    const first = publish(versions[0], 'a');
    await sleep(drawWhole(name, 0, 200));
    const results = await Promise.allSettled([first, publish(versions[1], 'b')]);
    const good = results.filter(({ status }) => status === 'fulfilled');
    // A version is never overwritten: of two with one name, the later is refused.
    expect(good).toHaveLength(versions[0] === versions[1] ? 1 : 2);
    const model = join(server.directory, 'models', 'diatoms');
    for (const folder of [...new Set(versions), 'production']) {
      execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: join(model, folder) });
    }
    expect(versions).toContain(readFileSync(join(model, 'production', 'VERSION'), 'utf8').trim());
    expect(readdirSync(model).filter((entry) => /uploading|deleting|\.next-/.test(entry))).toEqual([]);
  };
}

const ROWS: Row[] = Array.from({ length: 8 }, (_, index) => index + 1).flatMap((number) => {
  const named = (what: string, prove: (name: string) => () => Promise<void>): Row => {
    const name = `${what}, pair ${number}`;
    return { name, prove: prove(name) };
  };
  return [
    named('two runs in one folder', oneFolder),
    named('two runs to one place', twoFolders),
    named('two versions', (name) => twoVersions(name, ['v1', 'v2'])),
    named('one version twice', (name) => twoVersions(name, ['v1', 'v1'])),
  ];
});

table(`pairs of runs (seed ${SEED})`, someOf(ROWS, 5));
