import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashOfFile } from '../download/part-file.ts';
import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { digestFile } from '../files/digest-file.ts';
import { diskFailure } from '../files/disk-failure.ts';
import { formatBytes } from '../format.ts';
import type { RetryPolicy } from '../http/retry.ts';
import { type Training, trainingSum } from '../model/training-recipe.ts';
import type { Remote } from '../owncloud/remote.ts';
import { info } from '../runner/log.ts';
import { type CheckpointFile, type CheckpointNote, formatNote, parseNote, whyUnfit } from './checkpoint-note.ts';
import { type CheckpointPlace, NOTE_FILE } from './checkpoint-place.ts';
import type { Dataset } from './dataset.ts';
import { diskCheckpoints } from './disk-checkpoints.ts';
import type { PreparedImage } from './engine.ts';
import type { Inputs } from './inputs.ts';
import { owncloudCheckpoints } from './owncloud-checkpoints.ts';
import { trainingOf } from './provenance.ts';
import { closeFiles, type OpenFile, openFiles } from './stable-files.ts';

/** The folder of the output that a training goes on from. */
const CHECKPOINT = 'checkpoint';

/** Below the folder of the data sets: checkpoints of trainings that have not come to their end. */
const CHECKPOINTS = 'checkpoints';

/** The next time is soon enough for what does not go well, and a run that ends badly must not hang on it. */
const POLICY: RetryPolicy = { tries: 3, firstDelayMs: 1_000, maxDelayMs: 10_000, maxRetryAfterMs: 30_000 };

/** Keeps what a training goes on from where it outlives this machine. */
export interface Checkpoints {
  /** Puts what an earlier attempt of the very same training has stored into the output folder. */
  restore(): Promise<void>;
  /** Stores the checkpoint every so often while the stage goes on, and once more when it fails. */
  during<T>(stage: () => Promise<T>): Promise<T>;
  /** Deletes what is stored, when nobody has to go on from it any more. */
  remove(): Promise<void>;
}

interface Station {
  readonly inputs: Pick<Inputs, 'checkpointMs' | 'checkpointFolder' | 'owncloudFolder' | 'key' | 'outputDir'> &
    Parameters<typeof trainingOf>[0];
  readonly image: PreparedImage;
  readonly dataset: Pick<Dataset, 'identity' | 'sha256'>;
  readonly remote: Remote | undefined;
  readonly context: {
    readonly env: NodeJS.ProcessEnv;
    readonly signal: AbortSignal;
    readonly onWarning: (message: string) => void;
    /** Told where the last state of a training is safe that has not come to its end. */
    readonly onKept: (place: string) => void;
  };
}

/**
 * The place follows from run and key, so that another attempt of the run finds it on any machine.
 *
 * @returns `undefined` where checkpoints are not wanted, or can be kept nowhere
 */
export async function openCheckpoints(station: Station): Promise<Checkpoints | undefined> {
  const { inputs, image, dataset, context } = station;
  const everyMs = inputs.checkpointMs;
  const open = everyMs === 0 ? undefined : placeOf(station);
  if (!open) return undefined;
  const imageSum = await sumOf(image, context.signal);
  const training = trainingOf(inputs, dataset.identity ?? dataset.sha256, imageSum);
  if (trainingSum(training) === undefined) {
    info('No checkpoint is kept: a data set that is a folder without manifest.csv could not be recognised.');
    return undefined;
  }
  return keeper({ everyMs, open, training, outputDir: inputs.outputDir, ...context });
}

type OpenPlace = (signal: AbortSignal | undefined) => CheckpointPlace;

function placeOf({ inputs, remote, context: { env } }: Station): OpenPlace | undefined {
  const own = [env['GITHUB_RUN_ID'] || '0', inputs.key].filter((part) => part !== '').join('-');
  if (inputs.checkpointFolder !== '') {
    const folder = join(inputs.checkpointFolder.replace(/^~(?=\/)/, homedir()), own);
    return (signal) => diskCheckpoints(folder, signal);
  }
  // A link that takes files only can give none back.
  if (remote?.access !== 'full') return undefined;
  const folder = [inputs.owncloudFolder, CHECKPOINTS, own].filter((part) => part !== '').join('/');
  return (signal) => owncloudCheckpoints(remote, folder, { signal, policy: POLICY });
}

/** What tells an image: its digest; else Docker’s and Podman’s id of it, or the sum of Apptainer’s file. */
async function sumOf({ digest, reference }: PreparedImage, signal: AbortSignal): Promise<string> {
  return digest ?? (isAbsolute(reference) ? (await hashOfFile(reference, signal)).digest('hex') : reference);
}

interface Keeping {
  readonly everyMs: number;
  readonly open: OpenPlace;
  readonly training: Training;
  readonly outputDir: string;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
  readonly onKept: (place: string) => void;
}

function keeper({ everyMs, open, training, outputDir, signal, onWarning, onKept }: Keeping): Checkpoints {
  const target = join(outputDir, CHECKPOINT);
  let isStored = false;
  /** What of the output is stored. */
  let stored = '';
  /** Of the last time that it was tried. */
  let failure: string | undefined;

  async function restore(): Promise<void> {
    const place = open(signal);
    try {
      const text = await place.readNote();
      if (text === undefined) return;
      isStored = true;
      const note = parseNote(text);
      const unfit = whyUnfit(note, training);
      if (unfit !== undefined || !note) {
        onWarning(
          `The checkpoint in ${place.name} is not used, and will be replaced: it ${unfit}. The training starts from the beginning.`,
        );
      } else if ((await newestOf(target)) >= note.writtenMs) {
        info(`The checkpoint in ${target} is at least as new as that in ${place.name}, and is used.`);
      } else {
        await fetchAll(place, note);
        info(
          `An earlier attempt of this training was cut short: its checkpoint in ${place.name}, of ${new Date(note.writtenMs).toISOString()}, is here now.`,
        );
      }
    } catch (error) {
      throwIfCancelled(signal);
      if (!(error instanceof DiatomError)) throw error;
      onWarning(
        `The checkpoint in ${place.name} can’t be used, and the training starts from the beginning: ${error.message}`,
      );
    }
  }

  async function fetchAll(place: CheckpointPlace, { files }: CheckpointNote): Promise<void> {
    // Hidden, so that it is part of no artifact.
    const part = join(outputDir, `.${CHECKPOINT}.part`);
    try {
      await rm(part, { recursive: true, force: true });
      for (const { name, sha256 } of files) {
        const path = join(part, name);
        await mkdir(dirname(path), { recursive: true });
        const found = await place.fetch(sha256, path);
        if (found !== sha256) {
          throw new DiatomError('MODEL', `Its file ${name} is damaged (SHA-256 ${found}, expected ${sha256}).`);
        }
      }
      await rm(target, { recursive: true, force: true });
      await rename(part, target);
      const here = await openFiles(outputDir, CHECKPOINT);
      stored = stateOf(here);
      await closeFiles(here);
    } catch (error) {
      await rm(part, { recursive: true, force: true });
      throw diskFailure('write', target, error);
    }
  }

  async function save(place: CheckpointPlace, ending: AbortSignal | undefined): Promise<void> {
    const found = await openFiles(outputDir, CHECKPOINT);
    try {
      const state = stateOf(found);
      if (found.length === 0 || state === stored) return;
      const there = new Set(await place.list());
      const files: CheckpointFile[] = [];
      for (const { name, path } of found) {
        const digest = await digestFile(path, ending);
        files.push({ name, sha256: digest.sha256, bytes: digest.bytes });
        if (!there.has(digest.sha256)) await place.store({ path, ...digest });
        there.add(digest.sha256);
      }
      isStored = true;
      const writtenMs = Math.max(...found.map(({ modifiedMs }) => modifiedMs));
      await place.writeNote(formatNote({ training, writtenMs, files }));
      stored = state;
      const kept = [NOTE_FILE, ...files.map(({ sha256 }) => sha256)];
      for (const name of await place.list()) if (!kept.includes(name)) await place.remove(name);
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      info(`The checkpoint is in ${place.name} (${formatBytes(bytes)}).`);
    } finally {
      await closeFiles(found);
    }
  }

  /** Never throws: a training is not lost because its checkpoint could not be stored. */
  async function trySave(ending?: AbortSignal): Promise<void> {
    const place = open(ending);
    try {
      await save(place, ending);
      failure = undefined;
    } catch (error) {
      if (ending?.aborted) return;
      failure = `The checkpoint could not be stored in ${place.name}: ${messageOf(error)}`;
      info(failure);
    }
  }

  async function repeat(over: AbortSignal, ending: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await sleep(everyMs, undefined, { signal: over }).catch(() => {});
      if (!over.aborted) await trySave(ending);
    }
  }

  async function during<T>(stage: () => Promise<T>): Promise<T> {
    const [over, ending] = [new AbortController(), new AbortController()];
    const saving = repeat(over.signal, ending.signal);
    let isDone = false;
    try {
      const result = await stage();
      isDone = true;
      return result;
    } finally {
      over.abort();
      // What is on its way then is of no use any more.
      if (isDone) ending.abort();
      await saving;
      if (!isDone) await trySave();
      // Not before: while a container runs, the runner takes no annotation.
      if (failure !== undefined) onWarning(failure);
      else if (!isDone && stored !== '') onKept(open(undefined).name);
    }
  }

  async function remove(): Promise<void> {
    if (!isStored) return;
    const place = open(undefined);
    try {
      await place.removeAll();
      info(`The checkpoint in ${place.name} is deleted: nobody has to go on from it any more.`);
    } catch (error) {
      onWarning(`The checkpoint in ${place.name} could not be deleted, and is of no use any more: ${messageOf(error)}`);
    }
  }

  return { restore, during, remove };
}

/** Another text when one of the files is another. */
function stateOf(files: readonly OpenFile[]): string {
  return files.map(({ name, bytes, modifiedMs }) => `${name} ${bytes} ${modifiedMs}`).join('\n');
}

/** When the newest file below a folder was written; `-Infinity` when there is none. */
async function newestOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const times = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs));
  return Math.max(...times);
}
