import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleOf, readActionMetadata } from './action-metadata.ts';

export interface RunActionOptions {
  /** The action's folder in the checkout. */
  readonly action: 'gpu-server' | 'prepare-data' | 'publish-model' | 'settings' | 'train-model';
  /** What a workflow would write under `with:`. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The job's workspace; must exist. */
  readonly workspace: string;
  /** What an earlier step kept: then this is the action's `post` step. */
  readonly state?: Readonly<Record<string, string>>;
  /** Added to the environment of the action, over everything else; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Sees what the action prints, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Lets the action draw its progress on this process's terminal; `stderr` of the result is empty then. */
  readonly inheritStderr?: boolean;
  /** What is started instead of the shipped bundle, such as the source that it is made of. */
  readonly program?: string;
  /** Options for Node itself, such as `--max-old-space-size=64`. A runner gives none. */
  readonly nodeOptions?: readonly string[];
}

export interface ActionResult {
  /** As a shell would report it: 128 and the signal's number when the action died of one. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** The job summary, Markdown. */
  readonly summary: string;
  /** What it keeps for its `post` step. */
  readonly state: Readonly<Record<string, string>>;
}

export interface RunningAction {
  /** Sends a signal, as a runner does on cancellation (SIGINT, then SIGTERM). */
  kill(signal: NodeJS.Signals): void;
  readonly pid: number | undefined;
  readonly result: Promise<ActionResult>;
}

/** What a program needs of the environment to run at all; nothing else of the caller's gets through. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'ComSpec', 'PATHEXT', 'USERPROFILE'];

/** Runs an action to its end. @see startAction */
export function runAction(options: RunActionOptions): Promise<ActionResult> {
  return startAction(options).result;
}

/**
 * Starts the shipped bundle of an action as GitHub's runner does (actions/runner, `NodeScriptActionHandler`): every
 * input of `action.yml` as `INPUT_<NAME>` in upper case with spaces as `_`, empty when it has neither value nor
 * default; files for outputs, summary, state, environment and path; and a temporary folder of its own.
 *
 * @throws Error when the bundle is missing, or an input isn't one of the action's
 */
export function startAction(options: RunActionOptions): RunningAction {
  const metadata = readActionMetadata(options.action);
  const bundle = options.program ?? bundleOf(options.action, metadata);
  if (!existsSync(bundle)) throw new Error(`${bundle} is missing: build it with “npm run build”`);
  for (const name of Object.keys(options.inputs)) {
    if (!Object.hasOwn(metadata.inputs, name)) throw new Error(`The action ${options.action} has no input “${name}”`);
  }

  const temporary = mkdtempSync(join(tmpdir(), 'diatom-run-'));
  const files = commandFiles(temporary);
  const child = spawn(process.execPath, [...(options.nodeOptions ?? []), bundle], {
    cwd: options.workspace,
    env: {
      ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
      ...runnerVariables(options.workspace, temporary),
      ...files,
      ...inputVariables(metadata.inputs, options.inputs),
      ...Object.fromEntries(Object.entries(options.state ?? {}).map(([name, value]) => [`STATE_${name}`, value])),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', options.inheritStderr ? 'inherit' : 'pipe'],
  });
  const result = finish(child, options.onOutput)
    .then((ended) => ({
      ...ended,
      outputs: parseOutputs(readFileSync(files.GITHUB_OUTPUT, 'utf8')),
      summary: readFileSync(files.GITHUB_STEP_SUMMARY, 'utf8'),
      state: parseOutputs(readFileSync(files.GITHUB_STATE, 'utf8')),
    }))
    .finally(() => rmSync(temporary, { recursive: true, force: true }));
  return { kill: (signal) => void child.kill(signal), pid: child.pid, result };
}

function inputVariables(
  declared: Readonly<Record<string, { default?: string | undefined }>>,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(declared).map(([name, input]) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      given[name] ?? input.default ?? '',
    ]),
  );
}

function runnerVariables(workspace: string, temporary: string): Record<string, string> {
  const [temp, toolCache] = [join(temporary, 'temp'), join(temporary, 'tool-cache')];
  for (const folder of [temp, toolCache]) mkdirSync(folder);
  return {
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_WORKSPACE: workspace,
    GITHUB_REPOSITORY: 'example/diatoms',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_RUN_ID: '1',
    GITHUB_RUN_ATTEMPT: '1',
    RUNNER_ENVIRONMENT: 'self-hosted',
    RUNNER_TEMP: temp,
    RUNNER_TOOL_CACHE: toolCache,
  };
}

/** The files through which an action answers its runner, empty. */
function commandFiles(folder: string) {
  const path = (name: string): string => {
    const file = join(folder, name);
    writeFileSync(file, '');
    return file;
  };
  return {
    GITHUB_OUTPUT: path('output'),
    GITHUB_STEP_SUMMARY: path('summary'),
    GITHUB_STATE: path('state'),
    GITHUB_ENV: path('env'),
    GITHUB_PATH: path('path'),
  };
}

async function finish(
  child: ChildProcess,
  onOutput: ((text: string) => void) | undefined,
): Promise<Pick<ActionResult, 'exitCode' | 'stdout' | 'stderr'>> {
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
      onOutput?.(chunk);
    });
  }
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
  return { ...text, exitCode };
}

/** Reads an output file: `name<<delimiter`, lines, `delimiter`; or `name=value` (GitHub's “workflow commands”). */
export function parseOutputs(text: string): Record<string, string> {
  const outputs: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [, name = '', mark, rest = ''] = /^(.+?)(<<|=)(.*)$/.exec(line) ?? [];
    if (mark === '=') outputs[name] = rest;
    else if (mark === '<<') {
      const end = lines.indexOf(rest);
      if (end < 0) throw new Error(`The output ${name} has no end`);
      outputs[name] = lines
        .splice(0, end + 1)
        .slice(0, -1)
        .join('\n');
    }
  }
  return outputs;
}
