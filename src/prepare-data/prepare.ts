import { join } from 'node:path';
import type { ArchiveFacts } from '../archive/archive-writer.ts';
import type { ClassChanges } from '../dataset/changes.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import type { ClassCount } from '../dataset/tally.ts';
import type { HttpClient } from '../http/client.ts';
import type { Remote } from '../owncloud/connect.ts';
import { addressOfRun } from '../runner/address-of-run.ts';
import { group, info } from '../runner/log.ts';
import { partOf } from '../whole-file.ts';
import { archiveName } from './archive-name.ts';
import { type Comparison, compareSources, dropAll } from './compare-sources.ts';
import { type DataDir, lockDataDir, openDataDir } from './data-dir.ts';
import { findPrevious, type Previous } from './find-previous.ts';
import type { Inputs } from './inputs.ts';
import { forgetDownloads } from './kept-downloads.ts';
import { findLastArchive, type LastArchive, standingArchive, updateRecord } from './last-archive.ts';
import { tidyAfter } from './local-archive.ts';
import { requireHoles } from './low-disk.ts';
import { makeDataset } from './make-dataset.ts';
import { signIn } from './sign-in.ts';
import type { Delivery } from './upload.ts';

/** What a run did, for outputs and job summary. */
export interface Outcome {
  readonly seed: string;
  readonly classes: ReadonlyMap<string, ClassCount>;
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
  /** Of each class against the data set before, where sides are kept and there is one. */
  readonly changes: ReadonlyMap<string, ClassChanges> | undefined;
  readonly dataDir: string;
  /** SHA-256 of the manifest; `undefined` in a dry run. */
  readonly dataIdentity: string | undefined;
  /** `undefined` in a dry run, and when nothing is new. */
  readonly archive: ArchiveOutcome | undefined;
  /** The archive that stands, when nothing is new. */
  readonly standing: StandingArchive | undefined;
}

export interface ArchiveOutcome {
  readonly name: string;
  /** `undefined` when it was deleted after its upload. */
  readonly path: string | undefined;
  readonly facts: ArchiveFacts;
  readonly manifestPath: string;
  readonly reportPath: string;
  /** `undefined` when nothing was to be uploaded. */
  readonly delivery: Delivery | undefined;
}

/** An archive of an earlier run that is what this one would have made. */
export interface StandingArchive {
  readonly name: string;
  readonly url: string;
  readonly bytes: number;
  readonly sha256: string;
  /** For people: the server. */
  readonly server: string;
  /** Of a copy of it here, where one was asked for. */
  readonly path: string | undefined;
  /** Of its manifest, where the data folder was filled. */
  readonly manifestPath: string | undefined;
}

export interface RunContext {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** The time of the run, which names the archive. */
  readonly now: Date;
  /** Called before the upload begins, so that what is there is known even when the upload fails. */
  readonly onArchived: (outcome: Outcome) => void;
}

/** The whole of the action, from checked inputs to a data set on the server. */
export async function prepare(inputs: Inputs, context: RunContext): Promise<Outcome> {
  const { server } = inputs;
  // Signed in before anything is downloaded: a wrong password should show now, not in two hours.
  const remote = server && (await group('Sign in', () => signIn(inputs, server, context)));
  const previous = await group('Data set before', () => findPrevious(inputs, remote, context));
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
