import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { startAction } from '../run-action.ts';
import { alternate, type Bench, type Measured } from './bench.ts';
import type { ImageSet } from './images.ts';
import { type Figures, measure } from './measure.ts';
import { bash, runOurs } from './pipelines.ts';
import { type Site, startServers } from './servers.ts';

/** What *train model* says as soon as its data set is here. */
const IS_HERE = /^Data set .*: \d+ classes/m;

/** From the archive on the server to its images on the disk, as it is before every training. */
export async function measureDataset(bench: Bench, set: ImageSet): Promise<Measured> {
  const zips = await bench.zips(set);
  const servers = await startServers(zips, bench.folder);
  try {
    const { storage, ...site } = servers.apache;
    const { archiveBytes, archive } = await runOurs(servers.apache, await mkdtemp(join(bench.folder, 'made-')), {
      inputs: { 'keep-data': 'false' },
    });
    // What is measured stores nothing, and what it needs must stay.
    const idle: Site = { ...site, storage: await mkdtemp(join(bench.folder, 'idle-')) };
    const runs = await alternate(bench, {
      ours: { rounds: 5, site: idle, run: (workspace) => runFetch(idle, workspace, basename(archive)) },
      byHand: { rounds: 5, site: idle, run: (workspace) => runByHand(idle, workspace, basename(archive), true) },
      floor: { rounds: 3, site: idle, run: (workspace) => runByHand(idle, workspace, basename(archive), false) },
    });
    return { runs, facts: { archiveBytes }, missing: [] };
  } finally {
    await servers.close();
  }
}

/** The shipped bundle of *train model*, up to where it would look at the images and train. Its Docker does nothing. */
async function runFetch(site: Site, workspace: string, dataset: string): Promise<Figures> {
  const [programs, temp] = [join(workspace, 'programs'), join(workspace, 'temp')];
  for (const folder of [programs, temp]) mkdirSync(folder);
  const docker = join(programs, 'docker');
  writeFileSync(docker, `#!/bin/sh\n[ "$2" != inspect ] || echo '{"Id":"sha256:0"}'\n`);
  chmodSync(docker, 0o755);
  const isHere = Promise.withResolvers<void>();
  let said = '';
  const action = startAction({
    action: 'train-model',
    workspace,
    inputs: {
      ...{ image: 'diatom-trainer', dataset, 'owncloud-url': site.owncloudUrl },
      ...{ 'owncloud-username': site.username, 'owncloud-password': site.password },
    },
    env: {
      RUNNER_TEMP: temp,
      RUNNER_ENVIRONMENT: 'github-hosted',
      PATH: `${programs}${delimiter}${process.env['PATH']}`,
    },
    onOutput: (text) => {
      said += text;
      if (IS_HERE.test(said)) isHere.resolve();
    },
  });
  const ended = action.result.then(({ stdout }) => isHere.reject(new Error(`The action failed:\n${stdout}`)));
  const figures = await measure(action.pid ?? 0, workspace, isHere.promise);
  // It would delete all of it: `emptyFiles` says why that must not be.
  action.kill('SIGKILL');
  await ended;
  return figures;
}

const DOWNLOAD = 'curl -sSf -u "$LOGIN" -o set.zip "$TARGET$NAME"';

/** The same with curl and unzip, one after the other; or only the first half of it. */
function runByHand(site: Site, workspace: string, name: string, unpacks: boolean): Promise<Figures> {
  return bash(site, workspace, unpacks ? `${DOWNLOAD}\nunzip -q set.zip -d data` : DOWNLOAD, { NAME: name });
}
