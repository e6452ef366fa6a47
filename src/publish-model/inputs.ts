import { resolve } from 'node:path';
import { DiatomError } from '../errors.ts';
import { parseGate } from '../model/gate.ts';
import { defaultVersion, whyNoVersion } from '../model/model-folder.ts';
import { UNPUBLISHED } from '../model/unpublished.ts';
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
import { takeSettings } from '../runner/settings.ts';
import { BESIDE_INPUTS } from '../schema/beside-inputs.ts';
import { PUBLISH_MODEL } from '../schema/publish-model.ts';
import type { Rules } from './checks.ts';
import type { About } from './hub-card.ts';

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

/** A version that is on the server goes into production: an older one, one that was refused, or one just stored. */
export interface RollBackTask {
  readonly kind: 'roll-back';
  /** The input that has asked for it. */
  readonly input: 'promote-version' | 'roll-back-to';
  /** A version's name, or `previous` for the one that production replaced. */
  readonly to: string;
  readonly allowClassChange: boolean;
  /** What it must pass once more: these, or those that it was stored under; `undefined`: a person has decided. */
  readonly rules: Rules | 'as-stored' | undefined;
}

/** Nothing is published, and no server asked; all that is shown is what the gate says about the model. */
export interface DryRun extends Pick<PublishTask, 'source' | 'rules'> {
  readonly modelName: string;
  readonly about: About;
}

/** Nothing is published; it is only found out whether it could be. */
export interface CheckTask {
  readonly kind: 'check';
}

export type Task = PublishTask | JudgeTask | RollBackTask;

/** The inputs of the action, checked. */
export interface Inputs {
  /** The account that publishes. */
  readonly owncloud: OwncloudSettings;
  /** The account that trains, where that is another one. */
  readonly training: OwncloudSettings | undefined;
  /** Where the data sets lie, and the hours of GPU servers. */
  readonly dataFolder: string;
  readonly modelsFolder: string;
  readonly modelName: string;
  readonly about: About;
  readonly task: Task | CheckTask;
  /** How many versions stay; `undefined`: all. */
  readonly keepVersions: number | undefined;
  /** Asks whether a run that holds the model's folder has ended; `''` when nobody may ask. */
  readonly githubToken: string;
}

/** Takes the inputs, and hides the secret ones from the log before anything else can show them: comes first. */
export function takeInputs(): void {
  mask(textInput('github-token'));
  takeSettings(PUBLISH_MODEL, BESIDE_INPUTS['publish-model']);
}

/**
 * Reads and checks all inputs.
 *
 * @param now names a version that got no name
 * @throws DiatomError `INPUT`, naming the input, the value found and what is allowed
 */
export function readInputs(env: NodeJS.ProcessEnv, now: Date): Inputs {
  return {
    ...accounts(),
    dataFolder: folderInput('owncloud-folder'),
    modelsFolder: folderInput('models-folder'),
    modelName: modelNameInput(),
    about: aboutInput(),
    task: taskInput(env, now),
    keepVersions: wholeNumberInput('keep-versions', PUBLISH_MODEL['keep-versions']),
    githubToken: textInput('github-token'),
  };
}

/**
 * `undefined` when `dry-run` is false. It needs no server, and so none of the inputs that are about one.
 *
 * @throws DiatomError `INPUT`
 */
export function readDryRun(env: NodeJS.ProcessEnv): DryRun | undefined {
  if (!booleanInput('dry-run')) return undefined;
  refuseBeside('dry-run', ['unpublished', 'promote-version', 'roll-back-to', 'judge-version', 'check-again']);
  const { source } = sourceInput(env);
  return { modelName: modelNameInput(), about: aboutInput(), source, rules: rulesInput() };
}

function accounts(): Pick<Inputs, 'owncloud' | 'training'> {
  const shared = owncloudInputs('it is the address of the server with the models');
  const [username, password] = [textInput('models-username'), textInput('models-password')];
  if (username === '' && password === '') return { owncloud: shared, training: undefined };
  if (username === '' || password === '') {
    const [found, missing] = username === '' ? ['password', 'username'] : ['username', 'password'];
    throw new DiatomError(
      'INPUT',
      `Input models-${found} is set and models-${missing} is not: they are the account that publishes, so set both, or neither to publish with the one of owncloud-username. In a workflow they come from the settings (username in the section publish) and the secret MODELS_PASSWORD.`,
    );
  }
  return { owncloud: { url: shared.url, username, password }, training: shared };
}

function taskInput(env: NodeJS.ProcessEnv, now: Date): Inputs['task'] {
  if (booleanInput('check')) {
    rulesInput();
    return { kind: 'check' };
  }
  const found = (['promote-version', 'roll-back-to'] as const).filter((name) => textInput(name) !== '');
  const [input, other] = found;
  if (input !== undefined && other !== undefined && textInput(input) !== textInput(other)) {
    throw new DiatomError(
      'INPUT',
      `Inputs ${input} (${textInput(input)}) and ${other} (${textInput(other)}) mean the same and differ: set one of them.`,
    );
  }
  if (input !== undefined) return rollBackTask(input);
  if (checkAgain() !== '') {
    throw new DiatomError(
      'INPUT',
      `Input check-again is ${checkAgain()} without promote-version: it is about a version that is on the server. A new one is checked anyway.`,
    );
  }
  return textInput('judge-version') === '' ? publishTask(env, now) : judgeTask();
}

function checkAgain(): 'as-stored' | 'anew' | '' {
  return textInput('check-again') === '' ? '' : oneOfInput('check-again', PUBLISH_MODEL['check-again'].words);
}

function rulesInput(): Rules {
  return {
    gate: parseGate(textInput('gate')),
    noWorse: booleanInput('no-worse-than-production'),
    margin: Number(checkedInput('margin', PUBLISH_MODEL.margin)),
    whenUnsure: oneOfInput('when-unsure', PUBLISH_MODEL['when-unsure'].words),
    worseClasses: oneOfInput('worse-classes', PUBLISH_MODEL['worse-classes'].words),
    allowClassChange: booleanInput('allow-class-change'),
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

function aboutInput(): About {
  const license = checkedInput('license', PUBLISH_MODEL.license);
  return { author: textInput('author'), contact: textInput('contact'), license, citation: textInput('citation') };
}

function publishTask(env: NodeJS.ProcessEnv, now: Date): PublishTask {
  const version = textInput('version') || defaultVersion(now, env['GITHUB_SHA']);
  const fault = whyNoVersion(version);
  if (fault !== undefined) throw invalidInput('version', version, `a name for a folder, and this one ${fault}`);
  return { kind: 'publish', ...sourceInput(env), version, rules: rulesInput(), promote: booleanInput('promote') };
}

/** `version` names new versions only. */
function judgeTask(): JudgeTask {
  const version = textInput('judge-version');
  const fault = whyNoVersion(version);
  if (fault !== undefined) throw invalidInput('judge-version', version, `a version’s name, and this one ${fault}`);
  refuseBeside('judge-version', ['model-dir', 'artifact-name', 'unpublished']);
  return { kind: 'judge', version, rules: rulesInput(), promote: booleanInput('promote') };
}

/** What is on the server comes from nowhere else, and what asks no server can't be there. */
function refuseBeside(input: string, others: readonly string[]): void {
  const contradiction = others.find((name) => textInput(name) !== '');
  if (contradiction === undefined) return;
  const why = input === 'dry-run' ? 'asks no server' : 'takes a version that is on the server';
  throw new DiatomError(
    'INPUT',
    `Inputs ${input} and ${contradiction} contradict each other: ${input} ${why}. Leave ${contradiction} empty.`,
  );
}

/** A training in the same job knows the folder, and what else it stored on the server. */
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

/** This takes what is on the server; a gate and `no-worse-than-production` are about new versions, unless asked once more. */
function rollBackTask(input: RollBackTask['input']): RollBackTask {
  const to = textInput(input);
  const fault = to === 'previous' ? undefined : whyNoVersion(to);
  if (fault !== undefined) throw invalidInput(input, to, `previous or a version’s name, and this one ${fault}`);
  refuseBeside(input, ['model-dir', 'artifact-name', 'unpublished', 'judge-version', 'version']);
  if (!booleanInput('promote')) {
    throw new DiatomError(
      'INPUT',
      `Inputs ${input} and promote: false contradict each other: a roll-back is a promotion.`,
    );
  }
  const again = checkAgain();
  const rules = again === 'anew' ? rulesInput() : again === '' ? undefined : again;
  return { kind: 'roll-back', input, to, allowClassChange: booleanInput('allow-class-change'), rules };
}
