import { DiatomError } from '../errors.ts';
import type { App } from '../github/app.ts';
import { type RunnerOwner, runnerOwner } from '../github/runner-owner.ts';
import type { Architecture } from '../github/runner-software.ts';
import { type RunIdentity, serverName } from '../model/server-name.ts';
import { trainingKey } from '../model/training-key.ts';
import { checkedInput, folderInput, oneOfInput, refuseClashes, textInput } from '../runner/inputs.ts';
import { mask } from '../runner/log.ts';
import { takeSettings } from '../runner/settings.ts';
import { BESIDE_INPUTS } from '../schema/beside-inputs.ts';
import { serverClashes } from '../schema/clashes.ts';
import { GPU_SERVER } from '../schema/gpu-server.ts';
import type { Limits } from './driver-context.ts';
import { DRIVERS, type OpenDriver } from './driver-table.ts';
import type { HoursPlace } from './hours-file.ts';

export type Mode = 'start' | 'stop' | 'status' | 'reap';

const WATCH_MS = 2 * 60_000;

/** The inputs of the action, checked. */
export interface Inputs {
  readonly mode: Mode;
  /** Opens the chosen driver. The inputs of the others are not read. */
  readonly openDriver: OpenDriver;
  /** The step that signs in to AWS has failed, so that nothing can be asked there. */
  readonly isSignInRefused: boolean;
  readonly run: RunIdentity;
  /** The name of this training's server. */
  readonly name: string;
  /** `owner/name`. */
  readonly repository: string;
  /** Address of GitHub's REST API. */
  readonly apiUrl: string;
  /** How long the server may live, in minutes. */
  readonly maxMinutes: number;
  /** `undefined` when it is not known. */
  readonly pricePerHour: number | undefined;
  /** What a server may cost; `undefined` for no such limit. */
  readonly maxPrice: number | undefined;
  /** What all servers of a month may cost; `undefined` for no such limit. */
  readonly monthlyBudget: number | undefined;
  /** `undefined`: the hours are kept nowhere. */
  readonly hoursPlace: HoursPlace | undefined;
  readonly currency: string;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  /** How long a server may come into being after it was asked for, or not be listed yet. */
  readonly watchMs: number;
  readonly limits: Limits;
  readonly pickUpMinutes: number;
  /** Reads workflow runs; `''` for none. */
  readonly githubToken: string;
  /** What manages runners; `undefined` for nothing. */
  readonly runnerAuth: { readonly token: string } | { readonly app: App } | undefined;
  readonly runnerOwner: RunnerOwner;
  readonly runnerGroup: string;
  readonly runnerLabels: readonly string[];
  /** `undefined`: the newest. */
  readonly runnerVersion: string | undefined;
  readonly runnerSha256: string | undefined;
  readonly architecture: Architecture;
  /** `''` when it is to be downloaded. */
  readonly runnerDir: string;
}

/**
 * Reads and checks all inputs, and hides the secret ones from the log before anything else can show them.
 *
 * @throws DiatomError `INPUT`, naming the input, the value found and what is allowed
 */
export function readInputs(env: NodeJS.ProcessEnv): Inputs {
  mask(textInput('github-token'));
  takeSettings(GPU_SERVER, BESIDE_INPUTS['gpu-server']);
  refuseClashes(serverClashes(textInput));
  const mode = oneOfInput('mode', GPU_SERVER.mode.words);
  const repository = variable(env, 'GITHUB_REPOSITORY', /^[\w.-]+\/[\w.-]+$/);
  const run = {
    runId: variable(env, 'GITHUB_RUN_ID', /^\d+$/),
    attempt: Number(variable(env, 'GITHUB_RUN_ATTEMPT', /^\d+$/)),
    key: trainingKey(textInput('key')),
  };
  return {
    mode,
    openDriver: DRIVERS[oneOfInput('driver', GPU_SERVER.driver.words)](env),
    isSignInRefused: isSignInRefused(),
    run,
    name: serverName(run),
    repository,
    apiUrl: env['GITHUB_API_URL'] || 'https://api.github.com',
    maxMinutes: (decimalInput('lifetime-hours') || decimalInput('max-hours')) * 60,
    pricePerHour: decimalInput('price-per-hour') || undefined,
    maxPrice: decimalInput('max-price') || undefined,
    monthlyBudget: decimalInput('monthly-budget') || undefined,
    hoursPlace: hoursPlaceInputs(),
    currency: checkedInput('currency', GPU_SERVER.currency),
    startTimeoutMs: decimalInput('start-timeout-minutes') * 60_000,
    stopTimeoutMs: decimalInput('stop-timeout-minutes') * 60_000,
    watchMs: Math.min(WATCH_MS, (decimalInput('stop-timeout-minutes') * 60_000) / 8),
    limits: limitsInputs(),
    pickUpMinutes: decimalInput('pick-up-minutes'),
    githubToken: textInput('github-token'),
    runnerAuth: runnerAuthInputs(),
    runnerOwner: runnerOwner(oneOfInput('runner-scope', GPU_SERVER['runner-scope'].words), repository),
    runnerGroup: textInput('runner-group'),
    runnerLabels: labelsInput(),
    runnerVersion: versionInput(),
    runnerSha256: sha256Input(),
    architecture: oneOfInput('runner-architecture', GPU_SERVER['runner-architecture'].words),
    runnerDir: checkedInput('runner-dir', GPU_SERVER['runner-dir']),
  };
}

/** A program that hangs leaves a stop time for another try, and a start for saying which one it was. */
function limitsInputs(): Limits {
  const stopTimeoutMs = decimalInput('stop-timeout-minutes') * 60_000;
  const answerMs = decimalInput('answer-timeout-seconds') * 1_000;
  return {
    answerMs,
    stopMs: Math.max(answerMs, stopTimeoutMs / 3),
    startMs: decimalInput('start-timeout-minutes') * 60_000 * 0.8,
  };
}

/** Without a password nothing is kept: a workflow of one's own may hand on none. */
function hoursPlaceInputs(): HoursPlace | undefined {
  const url = checkedInput('owncloud-url', GPU_SERVER['owncloud-url']);
  const password = textInput('owncloud-password');
  const account = { url, username: textInput('owncloud-username'), password };
  return url === '' || password === '' ? undefined : { account, folder: folderInput('owncloud-folder') };
}

function isSignInRefused(): boolean {
  const outcome = checkedInput('aws-sign-in', GPU_SERVER['aws-sign-in']);
  return textInput('driver') === 'ec2' && outcome === 'failure';
}

/** What the runner tells every step. */
function variable(env: NodeJS.ProcessEnv, name: string, pattern: RegExp): string {
  const value = env[name] ?? '';
  if (pattern.test(value)) return value;
  throw new DiatomError(
    'INPUT',
    `The environment variable ${name} is “${value}”: this action runs in a job of GitHub Actions, which sets it.`,
  );
}

/** A number; 0 when it is not set. */
function decimalInput(name: keyof typeof GPU_SERVER): number {
  return Number(checkedInput(name, GPU_SERVER[name]));
}

function runnerAuthInputs(): Inputs['runnerAuth'] {
  const [token, id, privateKey] = [textInput('runner-token'), textInput('app-id'), textInput('app-private-key')];
  if (id === '' && privateKey === '') return token === '' ? undefined : { token };
  if (id !== '' && privateKey !== '') return { app: { id, privateKey } };
  const [missing, given] = id === '' ? ['app-id', 'app-private-key'] : ['app-private-key', 'app-id'];
  throw new DiatomError(
    'INPUT',
    `Input ${missing} is missing, and ${given} is set: give both. (A secret that does not exist, or that a pull request from a fork may not read, arrives empty.)`,
  );
}

function labelsInput(): string[] {
  return checkedInput('runner-labels', GPU_SERVER['runner-labels'])
    .split(/[,\r\n]+/)
    .map((label) => label.trim())
    .filter((label) => label !== '');
}

function versionInput(): string | undefined {
  return checkedInput('runner-version', GPU_SERVER['runner-version']).replace(/^v/, '') || undefined;
}

function sha256Input(): string | undefined {
  return checkedInput('runner-sha256', GPU_SERVER['runner-sha256']).toLowerCase() || undefined;
}
