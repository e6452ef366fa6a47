import { resolve } from 'node:path';
import { DiatomError } from '../errors.ts';
import { trainingKey } from '../model/training-key.ts';
import type { OwncloudSettings } from '../owncloud/connect.ts';
import {
  booleanInput,
  checkedInput,
  folderInput,
  invalidInput,
  oneOfInput,
  safeNameInput,
  textInput,
  wholeNumberInput,
} from '../runner/inputs.ts';
import { mask } from '../runner/log.ts';
import { owncloudInputs } from '../runner/owncloud-inputs.ts';
import { type SettingsRecord, settingsRecord, takeSettings } from '../runner/settings.ts';
import { BESIDE_INPUTS } from '../schema/beside-inputs.ts';
import { TRAIN_MODEL, TRAINING_SETTINGS } from '../schema/train-model.ts';
import { type Gpus, RESERVED_VARIABLES } from './container.ts';

/** The inputs of the action, checked. */
export interface Inputs {
  /** Absolute path of the workspace. */
  readonly workspace: string;
  readonly image: string;
  /** As it was given: where it leads is found out by `fetchDataset`. */
  readonly dataset: string;
  /** Lower-case hex. */
  readonly datasetSha256: string | undefined;
  readonly owncloud: OwncloudSettings | undefined;
  readonly registry: { readonly username: string; readonly password: string } | undefined;
  readonly engine: 'docker' | 'podman' | 'apptainer';
  readonly gpus: Gpus;
  readonly trainCommand: string;
  readonly testCommand: string;
  readonly env: ReadonlyMap<string, string>;
  readonly network: boolean;
  readonly shmSize: string;
  /** Absolute path. Whether it may be used is `openOutputDir`'s matter. */
  readonly outputDir: string;
  readonly timeoutMs: number | undefined;
  /** How often the checkpoint is stored; 0: never. */
  readonly checkpointMs: number;
  /** A folder of a disk that keeps it; `''`: ownCloud does. */
  readonly checkpointFolder: string;
  /** `''` when no artifact is wanted. */
  readonly artifactName: string;
  /** Tells the trainings of one run apart. A safe name for a folder. */
  readonly key: string;
  /** Whether the result also goes where a later run can publish it from. */
  readonly keepUnpublished: boolean;
  /** `undefined`: as long as the repository says. */
  readonly retentionDays: number | undefined;
  /** Of the server; `''` for its top folder. Takes a result that can't be stored as an artifact. */
  readonly owncloudFolder: string;
  /** Nothing is trained: it is only found out whether it could be. */
  readonly isCheck: boolean;
  /** `''` when nothing is to be compared. */
  readonly compareWith: string;
  /** Whether nothing is trained, and only said whether that would bring anything new. */
  readonly decide: boolean;
  /** What of the training stands in a settings file. */
  readonly settings?: SettingsRecord | undefined;
  /** Lower-case hex. */
  readonly dataIdentity: string | undefined;
}

/**
 * Reads and checks all inputs, and hides the secret ones from the log before anything else can show them.
 *
 * @throws DiatomError `INPUT`, naming the input, the value found and what is allowed
 */
export function readInputs(env: NodeJS.ProcessEnv): Inputs {
  takeSettings(TRAIN_MODEL, BESIDE_INPUTS['train-model']);
  const workspace = resolve(env['GITHUB_WORKSPACE'] || '.');
  const artifactName = artifactNameInput();
  return {
    workspace,
    image: imageInput(),
    dataset: datasetInput(),
    datasetSha256: sha256Input('dataset-sha256'),
    owncloud: textInput('owncloud-url') === '' ? undefined : owncloudInputs('it is needed to sign in'),
    // A check and a decision pull nothing: their settings name a user, and their jobs have no password.
    registry: booleanInput('check') || booleanInput('decide') ? undefined : registryInputs(),
    engine: oneOfInput('engine', TRAIN_MODEL.engine.words),
    gpus: gpusInput(),
    trainCommand: commandInput('train-command'),
    testCommand: commandInput('test-command'),
    env: envInput(),
    network: booleanInput('network'),
    shmSize: checkedInput('shm-size', TRAIN_MODEL['shm-size']).toLowerCase(),
    outputDir: resolve(workspace, textInput('output-dir') || 'model'),
    timeoutMs: minutesInput('timeout-minutes'),
    checkpointMs: minutesInput('checkpoint-minutes') ?? 0,
    checkpointFolder: checkedInput('checkpoint-folder', TRAIN_MODEL['checkpoint-folder']),
    artifactName,
    keepUnpublished: booleanInput('keep-unpublished'),
    key: trainingKey(textInput('key') || artifactName),
    retentionDays: wholeNumberInput('retention-days', TRAIN_MODEL['retention-days']),
    owncloudFolder: folderInput('owncloud-folder'),
    isCheck: booleanInput('check'),
    compareWith: textInput('compare-with'),
    decide: booleanInput('decide'),
    settings: settingsRecord(TRAINING_SETTINGS),
    dataIdentity: sha256Input('data-identity'),
  };
}

/** A reference never begins with “-”: it would be taken for an option of the engine. */
function imageInput(): string {
  const image = requiredInput('image', 'the image that trains, such as ghcr.io/lab/diatoms:v3');
  if (/^[A-Za-z0-9./][^\s]*$/.test(image)) return image;
  throw invalidInput('image', image, 'an image such as ghcr.io/lab/diatoms:v3');
}

/** An input that is empty counts as not set: “none” asks for no artifact. */
function artifactNameInput(): string {
  const name = safeNameInput('artifact-name', '');
  return name === 'none' ? '' : name;
}

function datasetInput(): string {
  const dataset = requiredInput('dataset', 'the path of an archive in ownCloud, an address, or a zip or folder here');
  const url = URL.parse(dataset);
  // An address may carry a token; it is hidden in the form it was given, and in the form that requests would name.
  if (url && /^https?:$/.test(url.protocol) && (url.search !== '' || url.username !== '' || url.password !== '')) {
    mask(dataset);
    mask(url.href);
  }
  return dataset;
}

function requiredInput(name: string, what: string): string {
  const value = textInput(name);
  if (value !== '') return value;
  throw new DiatomError('INPUT', `Input ${name} is missing: ${what}.`);
}

function sha256Input(name: string): string | undefined {
  return checkedInput(name, TRAIN_MODEL['dataset-sha256']).toLowerCase() || undefined;
}

function registryInputs(): Inputs['registry'] {
  const [username, password] = [textInput('registry-username'), textInput('registry-password')];
  if (username === '' && password === '') return undefined;
  if (username !== '' && password !== '') return { username, password };
  const [missing, given] = username === '' ? ['username', 'password'] : ['password', 'username'];
  throw new DiatomError(
    'INPUT',
    `Input registry-${missing} is missing, and registry-${given} is set: give both, or none. (A secret that does not exist, or that a pull request from a fork may not read, arrives empty.)`,
  );
}

function gpusInput(): Gpus {
  const text = checkedInput('gpus', TRAIN_MODEL.gpus);
  return text === 'all' || text === 'none' ? text : text.split(',').map((device) => device.trim());
}

function commandInput(name: string): string {
  const command = requiredInput(name, 'the command that the image is for');
  if (!command.includes('\0')) return command;
  throw invalidInput(name, command, 'a command without null characters');
}

function envInput(): Map<string, string> {
  const variables = new Map<string, string>();
  for (const [index, line] of textInput('env').split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const place = `Input env, line ${index + 1}:`;
    // A line may hold a secret: what is wrong with it is said without quoting its value.
    const [, name = '', value = ''] = /^\s*([^=]*?)\s*=(.*)$/s.exec(line) ?? [];
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new DiatomError(
        'INPUT',
        `${place} found ${line.includes('=') ? `the name “${name}”` : 'no “=”'}, expected NAME=value, the name of letters, digits and “_” and not beginning with a digit.`,
      );
    }
    if (RESERVED_VARIABLES.includes(name)) {
      throw new DiatomError('INPUT', `${place} ${name} is set by this action itself: leave it out.`);
    }
    if (variables.has(name)) throw new DiatomError('INPUT', `${place} ${name} is set twice: remove one of the lines.`);
    variables.set(name, value);
  }
  return variables;
}

/** In milliseconds; `undefined` when it is not set. */
function minutesInput(name: 'timeout-minutes' | 'checkpoint-minutes'): number | undefined {
  const text = checkedInput(name, TRAIN_MODEL[name]);
  return text === '' ? undefined : Number(text) * 60_000;
}
