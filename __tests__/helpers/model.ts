import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createHttpClient } from '../../src/http/client.ts';
import type { ComparedImage } from '../../src/model/compared-images.ts';
import { PAGE_FILE, RECORD_FILE } from '../../src/model/model-folder.ts';
import type { Rules } from '../../src/publish-model/checks.ts';
import type { Context } from '../../src/publish-model/context.ts';
import type { Inputs, PublishTask, RollBackTask, Task } from '../../src/publish-model/inputs.ts';
import type { Outcome } from '../../src/publish-model/outcome.ts';
import { publish } from '../../src/publish-model/publish.ts';
import { parseRecord, type VersionRecord } from '../../src/publish-model/version-record.ts';
import { PASSWORD, SWIFT, temporaryFolder, USER } from './owncloud.ts';

export const CLASSES = ['achnanthes', 'hannea, the arc'];

/** What a training of a tiny model could have left. Each `seed` gives other weights and figures. */
export async function modelDir(seed: string, changes: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const folder = join(await temporaryFolder(), 'model');
  await mkdir(folder);
  const files: Record<string, unknown> = {
    'model.pth': `weights ${seed} `.repeat(20_000),
    'classes.json': CLASSES,
    'metrics.json': metrics(),
    'training-images.csv': `sha256,group\n${createHash('sha256').update(seed).digest('hex')},\n`,
    ...changes,
  };
  for (const [name, content] of Object.entries(files)) {
    if (content === undefined) continue;
    const isText = typeof content === 'string' || content instanceof Uint8Array;
    await writeFile(join(folder, name), isText ? content : JSON.stringify(content));
  }
  return folder;
}

/** A metrics.json; every figure that is not given is good. */
export function metrics(changes: Readonly<Record<string, unknown>> = {}, labels: readonly string[] = CLASSES) {
  const figures = { precision: 0.9, recall: 0.9, f1: 0.9, support: 10 };
  return {
    format: 1,
    ...{ accuracy: 0.9, accuracy_ci: [0.85, 0.95], macro_f1: 0.9, macro_f1_ci: [0.84, 0.96], n_test: 20 },
    labels,
    classes: Object.fromEntries(labels.map((label) => [label, figures])),
    ...changes,
  };
}

/** What two models say to the images of some classes, of which each has so many right: the first ones. */
export function comparedImages(
  classes: readonly {
    readonly label: string;
    readonly images: number;
    readonly production: number;
    readonly candidate: number;
  }[],
): ComparedImage[] {
  return classes.flatMap(({ label, images, production, candidate }) =>
    Array.from({ length: images }, (_, index) => ({
      path: `test/${label}/${index}.png`,
      sha256: createHash('sha256').update(`${label} ${index}`).digest('hex'),
      label,
      candidate: index < candidate ? label : 'other',
      production: index < production ? label : 'other',
    })),
  );
}

/** A comparison.json of two equally good models. */
export function comparison(productionVersion: string | null, changes: Readonly<Record<string, unknown>> = {}) {
  const both = metrics();
  const sides = { candidate: both, production: both };
  return {
    format: 2,
    production_version: productionVersion,
    n_test: 20,
    n_compared: 18,
    too_few: false,
    ...sides,
    images: comparedImages(CLASSES.map((label) => ({ label, images: 9, production: 9, candidate: 9 }))),
    ...changes,
  };
}

export interface RunOptions {
  readonly url: string;
  readonly task: Task;
  readonly inputs?: Partial<Inputs>;
  readonly context?: Partial<Context>;
}

/** Of a model of which nobody says anything. */
export const NOTHING_SAID = { author: '', contact: '', license: '', citation: '' };

export const MODEL_FOLDER = 'models/diatoms';

/** The rules by default, but that nothing is asked about production. */
export const RULES: Rules = {
  gate: [],
  noWorse: false,
  margin: 0.02,
  whenUnsure: 'promote-if-not-lower',
  worseClasses: 'error',
  allowClassChange: false,
};

export function publishTask(folder: string, version: string, changes: Partial<PublishTask> = {}): PublishTask {
  return { kind: 'publish', source: { folder }, version, rules: RULES, promote: true, ...changes };
}

export function rollBackTask(to: string, allowClassChange = false): RollBackTask {
  return { kind: 'roll-back', input: 'roll-back-to', to, allowClassChange, rules: undefined };
}

/** A version that was stored before, and goes to production if it passes rules once more. */
export function promoteTask(to: string, rules: Rules | 'as-stored' = 'as-stored'): RollBackTask {
  return { kind: 'roll-back', input: 'promote-version', to, allowClassChange: false, rules };
}

/** Runs the whole of the action but inputs and outputs. */
export async function runPublish({
  url,
  task,
  inputs,
  context,
}: RunOptions): Promise<Outcome & { warnings: string[] }> {
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const warnings: string[] = [];
  const outcome = await publish(
    {
      owncloud: { url, username: USER, password: PASSWORD },
      training: undefined,
      dataFolder: 'data sets',
      modelsFolder: 'models',
      modelName: 'diatoms',
      about: NOTHING_SAID,
      keepVersions: undefined,
      githubToken: '',
      task,
      ...inputs,
    },
    task,
    {
      http,
      env: {},
      signal: new AbortController().signal,
      now: () => new Date(),
      onWarning: (message) => void warnings.push(message),
      onStored: () => {},
      patience: { staleMs: 3_600_000, waitMs: 0, pollMs: 5 },
      policy: SWIFT,
      ...context,
    },
  );
  return { ...outcome, warnings };
}

/** Names of the folders in the model's folder on the disk of the server, sorted, the lock's left out. */
export function foldersOf(directory: string): string[] {
  const folder = join(directory, MODEL_FOLDER);
  return existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && entry.name !== '.publish-lock')
        .map(({ name }) => name)
        .sort()
    : [];
}

/** What the record of a version says, on the disk of the server. */
export function recordOf(directory: string, version: string): VersionRecord {
  return parseRecord(readFileSync(join(directory, MODEL_FOLDER, version, RECORD_FILE), 'utf8'), RECORD_FILE);
}

/** The page of all versions, on the disk of the server; `undefined` when there is none. */
export function pageOf(directory: string): string | undefined {
  const page = join(directory, MODEL_FOLDER, PAGE_FILE);
  return existsSync(page) ? readFileSync(page, 'utf8') : undefined;
}

/**
 * The files of a folder below the model's folder, name → content, except for the record, which changes; `undefined` when
 * there is no such folder.
 */
export function filesOf(directory: string, name: string): Record<string, string> | undefined {
  const folder = join(directory, MODEL_FOLDER, name);
  if (!existsSync(folder)) return undefined;
  return Object.fromEntries(
    readdirSync(folder)
      .filter((file) => file !== RECORD_FILE)
      .sort()
      .map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  );
}
