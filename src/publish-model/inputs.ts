import { resolve } from 'node:path';
import { DiatomError } from '../errors.ts';
import { defaultVersion, whyNoVersion } from '../model/model-folder.ts';
import { UNPUBLISHED } from '../model/unpublished.ts';
import type { OwncloudSettings } from '../owncloud/connect.ts';
import {
  booleanInput,
  folderInput,
  invalidInput,
  safeNameInput,
  textInput,
  wholeNumberInput,
} from '../runner/inputs.ts';
import { mask } from '../runner/log.ts';
import { owncloudInputs } from '../runner/owncloud-inputs.ts';
import type { Rules } from './checks.ts';
import { parseGate } from './gate.ts';

/** Where a model comes from: a folder (absolute path), a workflow artifact, or a folder on the server. */
export type Source = { readonly folder: string } | { readonly artifact: string } | { readonly unpublished: string };

/** A new version. */
export interface PublishTask {
  readonly kind: 'publish';
  readonly source: Source;
  /** The folder on the server that is not needed any more when the version is stored. */
  readonly unpublished?: string | undefined;
  readonly version: string;
  readonly rules: Rules;
  /** Whether it goes to production when it passes. */
  readonly promote: boolean;
}

/** A version that is on the server is judged as if it came from training now. */
export interface JudgeTask extends Pick<PublishTask, 'version' | 'rules' | 'promote'> {
  readonly kind: 'judge';
}

/** An old version back into production. */
export interface RollBackTask {
  readonly kind: 'roll-back';
  /** A version's name, or `previous` for the one that production replaced. */
  readonly to: string;
  readonly allowClassChange: boolean;
}

export type Task = PublishTask | JudgeTask | RollBackTask;

/** The inputs of the action, checked. */
export interface Inputs {
  readonly owncloud: OwncloudSettings;
  readonly modelsFolder: string;
  readonly modelName: string;
  readonly task: Task;
  /** How many versions stay; `undefined`: all. */
  readonly keepVersions: number | undefined;
}

/**
 * Reads and checks all inputs, and hides the password from the log before anything else can show it.
 *
 * @param now names a version that got no name
 * @throws DiatomError `INPUT`, naming the input, the value found and what is allowed
 */
export function readInputs(env: NodeJS.ProcessEnv, now: Date): Inputs {
  mask(textInput('owncloud-password'));
  return {
    owncloud: owncloudInputs('it is the address of the server with the models'),
    modelsFolder: folderInput('models-folder') || 'models',
    modelName: modelNameInput(),
    task: taskInput(env, now),
    keepVersions: wholeNumberInput('keep-versions', { min: 1, max: 1_000_000 }),
  };
}

function modelNameInput(): string {
  const name = safeNameInput('model-name', '');
  if (name === '') {
    throw new DiatomError(
      'INPUT',
      'Input model-name is missing: it names the model’s folder, for example diatoms-baltic.',
    );
  }
  if (name.startsWith('.')) throw invalidInput('model-name', name, 'a name that does not begin with a dot');
  return name;
}

function taskInput(env: NodeJS.ProcessEnv, now: Date): Task {
  if (textInput('roll-back-to') !== '') return rollBackTask();
  return textInput('judge-version') === '' ? publishTask(env, now) : judgeTask();
}

function publishTask(env: NodeJS.ProcessEnv, now: Date): PublishTask {
  const version = textInput('version') || defaultVersion(now, env['GITHUB_SHA']);
  const fault = whyNoVersion(version);
  if (fault !== undefined) throw invalidInput('version', version, `a name for a folder, and this one ${fault}`);
  return { kind: 'publish', ...sourceInput(env), version, rules: rulesInput(), promote: booleanInput('promote') };
}

function rulesInput(): Rules {
  return {
    gate: parseGate(textInput('gate')),
    noWorse: booleanInput('no-worse-than-production'),
    allowClassChange: booleanInput('allow-class-change'),
  };
}

/** `version` names new versions only. */
function judgeTask(): JudgeTask {
  const version = textInput('judge-version');
  const fault = whyNoVersion(version);
  if (fault !== undefined) throw invalidInput('judge-version', version, `a version’s name, and this one ${fault}`);
  refuseBeside('judge-version', ['model-dir', 'artifact-name', 'unpublished']);
  return { kind: 'judge', version, rules: rulesInput(), promote: booleanInput('promote') };
}

/** What is on the server comes from nowhere else. */
function refuseBeside(input: string, others: readonly string[]): void {
  const contradiction = others.find((name) => textInput(name) !== '');
  if (contradiction === undefined) return;
  throw new DiatomError(
    'INPUT',
    `Inputs ${input} and ${contradiction} contradict each other: ${input} takes a version that is on the server. Leave ${contradiction} empty.`,
  );
}

/** A training in the same job knows the folder, and what it stored on the server besides. */
function sourceInput(env: NodeJS.ProcessEnv): Pick<PublishTask, 'source' | 'unpublished'> {
  const folder = textInput('model-dir');
  const artifact = textInput('artifact-name');
  const unpublished = unpublishedInput();
  const given = [folder, artifact, folder === '' ? (unpublished ?? '') : ''].filter((text) => text !== '');
  if (given.length !== 1) {
    const found = given.length === 0 ? 'none is set' : given.length === 2 ? 'two are set' : 'all are set';
    throw new DiatomError(
      'INPUT',
      `Inputs model-dir, artifact-name and unpublished: ${found}; set one of them: the folder with model.pth, the artifact that train-model made of it, or the folder in ownCloud where train-model put it instead.`,
    );
  }
  if (folder !== '') return { source: { folder: resolve(env['GITHUB_WORKSPACE'] || '.', folder) }, unpublished };
  return { source: unpublished === undefined ? { artifact } : { unpublished }, unpublished };
}

/** It is deleted afterwards: no other folder, such as a version’s, may be taken for one. */
function unpublishedInput(): string | undefined {
  const folder = folderInput('unpublished');
  if (folder === '') return undefined;
  const parts = folder.split('/');
  if (parts.length > 1 && parts.at(-2) === UNPUBLISHED) return folder;
  throw invalidInput(
    'unpublished',
    folder,
    `a folder as train-model names it, such as data sets/${UNPUBLISHED}/17-model`,
  );
}

/** A roll-back takes what is on the server; a gate and `no-worse-than-production` are about new versions only. */
function rollBackTask(): RollBackTask {
  const to = textInput('roll-back-to');
  const fault = to === 'previous' ? undefined : whyNoVersion(to);
  if (fault !== undefined)
    throw invalidInput('roll-back-to', to, `previous or a version’s name, and this one ${fault}`);
  refuseBeside('roll-back-to', ['model-dir', 'artifact-name', 'unpublished', 'judge-version', 'version']);
  if (!booleanInput('promote')) {
    throw new DiatomError(
      'INPUT',
      'Inputs roll-back-to and promote: false contradict each other: a roll-back is a promotion.',
    );
  }
  return { kind: 'roll-back', to, allowClassChange: booleanInput('allow-class-change') };
}
