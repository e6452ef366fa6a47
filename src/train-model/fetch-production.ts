import { copyFile, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiatomError, systemCodeOf } from '../errors.ts';
import { PRODUCTION } from '../model/model-folder.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { readText, saveRemote } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { jsonOf } from '../text/json.ts';
import { parseTrainingImages, type TrainingImages } from './images.ts';

/** A model that is used already, on this machine. */
export interface Production {
  /** Its weights and what lies beside them. */
  readonly folder: string;
  readonly version: string | undefined;
  readonly labels: readonly string[];
  /** `undefined` when nobody knows what it was trained on. */
  readonly training: TrainingImages | undefined;
  /** Whether it lies in the workspace, and not on the server. */
  readonly isLocal: boolean;
}

/** What of a model's folder a test does not need: pictures, results, and the weights in other formats. */
const NOT_NEEDED =
  /\.(png|jpe?g|svg|md|onnx|safetensors)$|^\.|^(metrics|comparison|provenance|verdict)\.json$|^(predictions|history)\.csv$|^baseline\.pth$/i;

/** While a model is replaced, its folder is gone for the length of a rename: it is looked for once more. */
const LOOK_AGAIN_MS = 3_000;

/** One list may be read before, and a file after somebody has promoted another model: then all is read again. */
const ATTEMPTS = 3;

interface Wanted {
  /** The input `compare-with`. */
  readonly place: string;
  readonly workspace: string;
  readonly remote: Remote | undefined;
  readonly signal: AbortSignal;
}

/**
 * Brings the model of `compare-with` to an empty folder of this machine: from the workspace when it is there, else from
 * the server.
 *
 * @returns `undefined` when there is no such folder (yet)
 * @throws DiatomError `MODEL` when it is incomplete or damaged, `OWNCLOUD`, `NETWORK`, `DISK`, `CANCELLED`
 */
export async function fetchProduction(wanted: Wanted, target: string): Promise<Production | undefined> {
  await mkdir(target, { recursive: true });
  const local = resolve(wanted.workspace, wanted.place);
  const isLocal = (await stat(local).catch(() => undefined))?.isDirectory() ?? false;
  const there = isLocal ? await copyNeeded(local, target) : await downloadWhole(wanted, target);
  if (!there) return undefined;
  const text = (name: string) =>
    readFile(join(target, name), 'utf8').catch((error: unknown) => {
      if (systemCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    });
  const labels = labelsIn(await text('classes.json'));
  if (!labels || !(await stat(join(target, 'model.pth')).catch(() => undefined))?.isFile()) {
    throw new DiatomError(
      'MODEL',
      `The model of compare-with (${wanted.place}) is incomplete: expected model.pth and classes.json (a JSON array of labels) in its folder.`,
    );
  }
  const training = await text('training-images.csv');
  return {
    folder: target,
    version: (await text('VERSION'))?.trim() || undefined,
    labels,
    training: training === undefined ? undefined : parseTrainingImages(training),
    isLocal,
  };
}

/** The folder of the model whose production a place is; `undefined` for any other place. */
export function modelFolderOf(place: string): string | undefined {
  const parts = place.split('/').filter((part) => part !== '');
  return parts.length > 1 && parts.pop() === PRODUCTION ? parts.join('/') : undefined;
}

/** Copies what a test of a model needs of its folder. */
export async function copyNeeded(folder: string, target: string): Promise<true> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isFile() && !NOT_NEEDED.test(entry.name)) {
      await copyFile(join(folder, entry.name), join(target, entry.name));
    }
  }
  return true;
}

async function downloadWhole({ place, remote, signal }: Wanted, target: string): Promise<boolean> {
  if (!remote) return false;
  for (let attempt = 1; ; attempt++) {
    const differing = await download(remote, place, target, signal);
    if (differing === 'nothing there') return false;
    if (differing === undefined) return true;
    if (attempt === ATTEMPTS) {
      throw new DiatomError(
        'MODEL',
        `The file ${differing} of the model at ${remote.description}, folder ${place}, is not the one that its SHA256SUMS names: it is damaged, or was replaced by hand. Publish that model again.`,
      );
    }
  }
}

/** @returns the name of a file that is not what the folder's list of sums says */
async function download(
  remote: Remote,
  place: string,
  target: string,
  signal: AbortSignal,
): Promise<string | 'nothing there' | undefined> {
  const list = () => listFolder(remote, place, { signal });
  let entries = await list();
  if (!entries) {
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => {});
    entries = await list();
  }
  if (!entries) return 'nothing there';
  const path = (name: string) => `/${[...place.split('/').filter((part) => part !== ''), name].join('/')}`;
  const sums = sumsIn((await readText(remote, path('SHA256SUMS'), { signal })) ?? '');
  for (const { name, type } of entries) {
    if (type !== 'file' || NOT_NEEDED.test(name) || name.includes('/') || name === '..') continue;
    const sha256 = await saveRemote(remote, path(name), join(target, name), { signal });
    const expected = sums.get(name);
    if (expected !== undefined && expected !== sha256) return name;
  }
  return undefined;
}

/** The lines of `sha256sum`. */
function sumsIn(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^([0-9a-f]{64}) [ *](.+?)\r?$/gm)].map(([, sum = '', name = '']) => [name, sum]));
}

function labelsIn(text: string | undefined): string[] | undefined {
  const value = jsonOf(text ?? '');
  return Array.isArray(value) && value.every((label) => typeof label === 'string') ? value : undefined;
}
