import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { requireCommand, run } from './commands.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const STAND_INS = join(ROOT, '__tests__', 'e2e', 'stand-ins');
const REPOSITORY = readRepository();
const REF = 'v1';

/** The only one of the user’s repository. */
const BRANCH = 'main';

/** How workflows use this repository. */
export const ACTION = `${REPOSITORY}@${REF}`;

/** What a runner takes from the repository of an action. */
const SHIPPED = [
  'action.yml',
  'prepare-data',
  'gpu-server',
  'train-model',
  'publish-model',
  'settings',
  'dist',
  '.github',
  'templates',
  'scripts',
  'src',
  'package.json',
];

export interface RunOptions {
  /** What a person fills in to start the workflow. */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** Variables of the user's repository. */
  readonly variables?: Readonly<Record<string, string>>;
  /** What the user’s repository has beside the workflow, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Where our repository is used at another commit than this checkout, or by another name than its major version’s. */
  readonly release?: { readonly folder: string; readonly ref: string };
  /** What stands in for files of our repository, by path. */
  readonly replaced?: Readonly<Record<string, string>>;
  /** A folder that holds actions of others as `owner/name@ref`, which are then executed instead of the stand-ins. */
  readonly actions?: string;
  /** Plug-ins of Docker, paths of programs. */
  readonly dockerPlugins?: readonly string[];
  /** A part of the settings that does not reach the next job, as on GitHub when it contains the text of a secret. */
  readonly lost?: string;
  /** What a runner gives to every step. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Is told what the run says, piece by piece. */
  readonly onOutput?: (text: string) => void;
  /** Ends the run as a machine that dies does: at once, with all of its programs, and without any step after it. */
  readonly death?: AbortSignal;
}

export interface WorkflowRun {
  readonly exitCode: number;
  /** All that a person would see of the run. */
  readonly log: string;
  /** The files that the run left in the machine's folder for temporary files, and in those of its jobs. */
  readonly leftovers: readonly string[];
}

/**
 * Runs a workflow in a user's repository, with act (github.com/nektos/act), which stands in for GitHub and its runner.
 * The jobs run on this machine, not in a container, in a folder of their own, and see nothing of the settings of whoever
 * runs the tests. Where the workflow uses our repository, act takes a copy of this checkout instead of asking GitHub; for
 * the actions of others that our workflows use, it takes `e2e/stand-ins`.
 *
 * @param workflow YAML that is started by `workflow_dispatch`
 */
export async function runWorkflow(workflow: string, options: RunOptions = {}): Promise<WorkflowRun> {
  requireCommand('act', '“go install github.com/nektos/act@latest”, and Go’s bin folder on the PATH');
  const base = await mkdtemp(join(tmpdir(), 'act-'));
  try {
    const actions = join(base, 'actions');
    const { folder: source, ref } = options.release ?? { folder: ROOT, ref: REF };
    for (const path of SHIPPED) await cp(join(source, path), join(actions, path), { recursive: true });
    for (const [path, text] of Object.entries(options.replaced ?? {})) await writeFile(join(actions, path), text);
    const workflows = join(actions, '.github', 'workflows');
    const repositories = {
      [`${REPOSITORY}@${ref}`]: actions,
      ...(await prepareWorkflows(workflows, ref, options.actions)),
    };
    if (options.lost !== undefined) await loseOutput(join(workflows, 'settings.yml'), options.lost);
    const repository = join(base, 'repository');
    const file = join(repository, '.github', 'workflows', 'workflow.yml');
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, fitForAct(workflow));
    for (const [path, text] of Object.entries(options.files ?? {})) {
      await mkdir(join(repository, path, '..'), { recursive: true });
      await writeFile(join(repository, path), text);
    }
    await makeGitRepository(repository);
    const [home, temporary] = [join(base, 'home'), join(base, 'tmp')];
    // Without this file act asks which size of container to use.
    await mkdir(join(home, '.config', 'act'), { recursive: true });
    await writeFile(join(home, '.config', 'act', 'actrc'), '');
    await mkdir(temporary);
    for (const plugin of options.dockerPlugins ?? []) {
      const folder = join(home, '.docker', 'cli-plugins');
      await mkdir(folder, { recursive: true });
      await symlink(plugin, join(folder, basename(plugin)));
    }
    const environment = { ...options.environment, STAND_IN_REPOSITORY: actions };
    const event = join(base, 'event.json');
    // What GitHub tells about the start, as far as actions look there.
    await writeFile(event, JSON.stringify({ inputs: options.inputs, repository: { default_branch: BRANCH } }));
    const args = [
      ...['workflow_dispatch', '-e', event, '-W', file],
      ...['-P', 'ubuntu-latest=-self-hosted', '-P', 'self-hosted=-self-hosted'],
      ...['--no-cache-server'],
      ...['--secret-file', await valuesFile(base, 'secrets', options.secrets)],
      ...['--var-file', await valuesFile(base, 'variables', options.variables)],
      ...['--env-file', await valuesFile(base, 'environment', environment)],
      ...Object.entries(repositories).flatMap(([name, folder]) => ['--local-repository', `${name}=${folder}`]),
    ];
    const env = { PATH: process.env['PATH'], HOME: home, TMPDIR: temporary };
    const result = await execute('act', args, { cwd: repository, env, ...options });
    const jobs = await readdir(join(home, '.cache', 'act'));
    const leftovers = await filesBelow(temporary, ...jobs.map((job) => join(home, '.cache', 'act', job, 'tmp')));
    return { ...result, leftovers };
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/**
 * Makes our workflows fit for act, which knows neither `$/` nor the queues of `concurrency`. `$/` means the repository and
 * commit of the file itself, which is what stands there afterwards.
 *
 * @param ref the commit or tag of ours
 * @param actions may hold other actions that they use
 * @returns all of these, and the stand-ins for the others
 */
async function prepareWorkflows(folder: string, ref: string, actions?: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name), 'utf8');
    const known = text.replaceAll(/uses: \$\/(\S+)/g, `uses: ${REPOSITORY}/$1@${ref}`);
    await writeFile(join(folder, name), withLastJob(fitForAct(known)));
    for (const [name, action = ''] of [...text.matchAll(/(?<=uses: )([\w-]+\/[\w-]+)@\S+/g)]) {
      const places = [...(actions === undefined ? [] : [join(actions, name)]), join(STAND_INS, action)];
      const place = places.find((path) => existsSync(path));
      if (place !== undefined) found[name] = place;
    }
  }
  return found;
}

/** Makes an output of jobs empty. act never does so by itself. */
async function loseOutput(file: string, name: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const output = new RegExp(`^( +${name}: )\\$\\{\\{ steps\\..*$`, 'm');
  if (!output.test(text)) throw new Error(`${file} has no output ${name}`);
  await writeFile(file, text.replace(output, "$1''"));
}

/**
 * Adds a job that ends after all others to a workflow that calls workflows: act passes on what a workflow puts out whenever
 * a job of its own ends, and not when one ends that it has called.
 */
function withLastJob(workflow: string): string {
  if (!/^ {4}uses: /m.test(workflow)) return workflow;
  const [, jobs = ''] = workflow.split(/^jobs:$/m);
  const names = [...jobs.matchAll(/^ {2}([\w-]+):$/gm)].map(([, name]) => name);
  const job = { needs: names, if: 'always()', 'runs-on': 'ubuntu-latest', steps: [{ run: 'true' }] };
  return `${workflow}\n  last: ${JSON.stringify(job)}\n`;
}

/**
 * Leaves out the queues. And act gives an output of a job that was skipped as the expression that would have made it, where
 * GitHub has none.
 */
function fitForAct(workflow: string): string {
  return workflow
    .replaceAll(/^ +queue: max\n/gm, '')
    .replaceAll(
      /\b(?:needs|jobs)\.[\w-]+\.outputs\.[\w-]+/g,
      (output) => `(!startsWith(${output}, '$') && ${output} || '')`,
    );
}

/** A file that act reads as YAML; JSON is YAML as well, and YAML keeps every character. */
async function valuesFile(
  folder: string,
  name: string,
  values: Readonly<Record<string, string>> = {},
): Promise<string> {
  const file = join(folder, `${name}.yml`);
  await writeFile(file, JSON.stringify(values));
  return file;
}

function readRepository(): string {
  const { repository }: { repository: string } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return repository.replace(/^github:/, '');
}

async function makeGitRepository(folder: string): Promise<void> {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org'];
  await run('git', ['init', '-q', '-b', BRANCH], { cwd: folder });
  await run('git', ['remote', 'add', 'origin', 'https://github.com/example/diatoms.git'], { cwd: folder });
  await run('git', ['add', '-A'], { cwd: folder });
  await run('git', [...identity, 'commit', '-q', '-m', 'Test'], { cwd: folder });
}

async function filesBelow(...folders: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    folders.map((folder) => readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])),
  );
  return found
    .flat()
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

function execute(
  command: string,
  args: readonly string[],
  { cwd, env, onOutput, death }: Pick<RunOptions, 'onOutput' | 'death'> & { cwd: string; env: NodeJS.ProcessEnv },
): Promise<{ exitCode: number; log: string }> {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      onOutput?.(text);
    });
  }
  return new Promise((resolve, reject) => {
    death?.addEventListener('abort', () => killAll(child).catch(reject), { once: true });
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? 1, log }));
  });
}

/** A program with all that it has started; act gives each step a process group of its own. */
async function killAll(program: ChildProcess): Promise<void> {
  // So that it starts nothing more meanwhile.
  program.kill('SIGSTOP');
  const processes = (await run('ps', ['-eo', 'pid=,ppid=']))
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const found = [String(program.pid)];
  for (const parent of found) found.push(...processes.flatMap(([pid = '', ppid]) => (ppid === parent ? [pid] : [])));
  for (const pid of found) process.kill(Number(pid), 'SIGKILL');
}
