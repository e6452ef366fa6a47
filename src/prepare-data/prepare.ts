import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { archiveName } from '../dataset/archive-names.ts';
import { partOf } from '../files/whole-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { addressOfRun } from '../runner/address-of-run.ts';
import { group, info } from '../runner/log.ts';
import { type Comparison, compareSources, dropAll } from './compare-sources.ts';
import { type DataDir, lockDataDir, openDataDir } from './data-dir.ts';
import { findPrevious, type Previous } from './find-previous.ts';
import type { Inputs } from './inputs.ts';
import { forgetDownloads } from './kept-downloads.ts';
import { findLastArchive, type LastArchive, standingArchive, updateRecord } from './last-archive.ts';
import { tidyAfter } from './local-archive.ts';
import { requireHoles } from './low-disk.ts';
import { makeDataset } from './make-dataset.ts';
import type { Outcome, StandingArchive } from './outcome.ts';
import type { RunContext } from './run-context.ts';
import { signIn } from './sign-in.ts';

/** The whole of the action, from checked inputs to a data set on the server. */
export async function prepare(inputs: Inputs, started: RunContext): Promise<Outcome> {
  const { server } = inputs;
  // Signed in before anything is downloaded: a wrong password should show now, not in two hours.
  const remote = server && (await group('Sign in', () => signIn(inputs, server, started)));
  const previous = await group('Data set before', () => findPrevious(inputs, remote, started));
  const context = { ...started, now: await freeSecond(inputs, previous, started.now) };
  const archive = archiveName(inputs.archivePrefix, context.now);
  const run = addressOfRun(context.env) ?? '';
  const lock = await lockDataDir(inputs.dataDir, inputs.workspace, { now: context.now, run, archive });
  try {
    for (const note of lock.dead) await tidyAfter(note, inputs.workspace);
    if (inputs.lowDisk) await requireHoles(partOf(join(inputs.workspace, archive)));
    return await prepareIn(inputs, context, { remote, previous });
  } finally {
    await lock.release();
  }
}

/** Two runs of one second would give their archives one name: the later waits for the next. @returns the run's time */
async function freeSecond(
  { archivePrefix, workspace }: Pick<Inputs, 'archivePrefix' | 'workspace'>,
  { folder }: Pick<Previous, 'folder'>,
  now: Date,
): Promise<Date> {
  const name = archiveName(archivePrefix, now);
  const isStored = folder?.archives.some((archive) => archive.name === name) || folder?.missing.includes(name);
  if (!isStored && (await lstat(join(workspace, name)).catch(() => undefined)) === undefined) return now;
  await sleep(1_000 - now.getUTCMilliseconds());
  return freeSecond({ archivePrefix, workspace }, { folder }, new Date());
}

/** The work in a data folder that is this run's alone. */
async function prepareIn(
  inputs: Inputs,
  context: RunContext,
  { remote, previous }: { readonly remote: Remote | undefined; readonly previous: Previous },
): Promise<Outcome> {
  const { mode } = inputs;
  const dataDir = await openDataDir(inputs.dataDir, inputs.workspace, {
    keepResults: mode === 'dry-run',
    keepDownloads: !inputs.lowDisk,
  });
  const last =
    remote && mode === 'run' ? await findLastArchive(inputs, { remote, ...previous }, context.signal) : undefined;
  const compared =
    last && (await group('Compare with the last archive', () => compare(inputs, last, dataDir, context)));
  let same = compared?.isSame ? last : undefined;
  if (remote && compared && same) {
    const { signal, now } = context;
    await updateRecord(same, compared.entries, { remote, signal });
    if (!inputs.keepData) {
      const standing = await standingArchive(same, { inputs, remote, signal, now });
      if (standing) {
        await dropAll(compared.here);
        return standingOutcome(same, standing, { dataDir, previous });
      }
      same = undefined;
    }
  }
  const here = compared?.here ?? new Map();
  const outcome = await makeDataset({ inputs, context, dataDir, remote, previous, same, here });
  await forgetDownloads(dataDir.downloads);
  return outcome;
}

async function compare(
  inputs: Inputs,
  { record }: LastArchive,
  dataDir: DataDir,
  context: RunContext,
): Promise<Comparison> {
  const comparison = await compareSources(inputs, record.entries, dataDir.downloads, context);
  const { name } = record.archive;
  info(
    comparison.isSame
      ? `Nothing is new: all zips and options are those of “${name}”.`
      : `“${name}” is no longer up to date.`,
  );
  return comparison;
}

function standingOutcome(
  { record }: LastArchive,
  standing: StandingArchive,
  { dataDir, previous }: { readonly dataDir: DataDir; readonly previous: Previous },
): Outcome {
  return {
    seed: record.seed,
    classes: new Map(Object.entries(record.classes)),
    leftOut: [],
    warnings: previous.warnings,
    changes: previous.base && new Map(),
    dataDir: dataDir.path,
    dataIdentity: record.data_identity,
    archive: undefined,
    standing,
  };
}
