import { resolve } from 'node:path';
import { DiatomError } from '../errors.ts';
import { parseGate } from '../model/gate.ts';
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
import { defaultVersion, whyNoVersion } from './model-folder.ts';

/** A new version, from a folder (absolute path) or a workflow artifact. */
export interface PublishTask {
  readonly kind: 'publish';
  readonly source: { readonly folder: string } | { readonly artifact: string };
  readonly version: string;
  readonly rules: Rules;
  /** Whether it goes to production when it passes. */
  readonly promote: boolean;
}

/** An old version back into production. */
export interface RollBackTask {
  readonly kind: 'roll-back';
  /** A version's name, or `previous` for the one that production replaced. */
  readonly to: string;
  readonly allowClassChange: boolean;
}

/** The inputs of the action, checked. */
export interface Inputs {
  readonly owncloud: OwncloudSettings;
  readonly modelsFolder: string;
  readonly modelName: string;
  readonly task: PublishTask | RollBackTask;
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
    task: textInput('roll-back-to') === '' ? publishTask(env, now) : rollBackTask(),
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

function publishTask(env: NodeJS.ProcessEnv, now: Date): PublishTask {
  const version = textInput('version') || defaultVersion(now, env['GITHUB_SHA']);
  const fault = whyNoVersion(version);
  if (fault !== undefined) throw invalidInput('version', version, `a name for a folder, and this one ${fault}`);
  const rules: Rules = {
    gate: parseGate(textInput('gate')),
    noWorse: booleanInput('no-worse-than-production'),
    allowClassChange: booleanInput('allow-class-change'),
  };
  return { kind: 'publish', source: sourceInput(env), version, rules, promote: booleanInput('promote') };
}

function sourceInput(env: NodeJS.ProcessEnv): PublishTask['source'] {
  const folder = textInput('model-dir');
  const artifact = textInput('artifact-name');
  if ((folder === '') === (artifact === '')) {
    const found = folder === '' ? 'neither is set' : 'both are set';
    throw new DiatomError(
      'INPUT',
      `Inputs model-dir and artifact-name: ${found}; set one of them: the folder with model.pth, or the artifact that train-model made of it.`,
    );
  }
  return artifact === '' ? { folder: resolve(env['GITHUB_WORKSPACE'] || '.', folder) } : { artifact };
}

/** A roll-back takes what is on the server; a gate and `no-worse-than-production` are about new versions only. */
function rollBackTask(): RollBackTask {
  const to = textInput('roll-back-to');
  const fault = to === 'previous' ? undefined : whyNoVersion(to);
  if (fault !== undefined)
    throw invalidInput('roll-back-to', to, `previous or a version’s name, and this one ${fault}`);
  const contradiction = ['model-dir', 'artifact-name', 'version'].find((name) => textInput(name) !== '');
  if (contradiction !== undefined) {
    throw new DiatomError(
      'INPUT',
      `Inputs roll-back-to and ${contradiction} contradict each other: a roll-back takes a version that is on the server. Leave ${contradiction} empty.`,
    );
  }
  if (!booleanInput('promote')) {
    throw new DiatomError(
      'INPUT',
      'Inputs roll-back-to and promote: false contradict each other: a roll-back is a promotion.',
    );
  }
  return { kind: 'roll-back', to, allowClassChange: booleanInput('allow-class-change') };
}
