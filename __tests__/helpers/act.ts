import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireCommand, run } from './commands.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** How workflows use this repository. */
export const ACTION = `${readRepository()}@v1`;

/** What a runner takes from the repository of an action. */
const SHIPPED = ['action.yml', 'prepare-data', 'dist'];

export interface WorkflowRun {
  readonly exitCode: number;
  /** All that a person would see of the run. */
  readonly log: string;
}

/**
 * Runs a workflow in a user's repository, with act (github.com/nektos/act), which stands in for GitHub and its runner.
 * The jobs run on this machine, not in a container, in a folder of their own, and see nothing of the settings of whoever
 * runs the tests. Where the workflow uses our repository, act takes a copy of this checkout instead of asking GitHub.
 *
 * @param workflow YAML that is started by `workflow_dispatch`
 */
export async function runWorkflow(workflow: string, secrets: Readonly<Record<string, string>>): Promise<WorkflowRun> {
  requireCommand('act', '“go install github.com/nektos/act@latest”, and Go’s bin folder on the PATH');
  const base = await mkdtemp(join(tmpdir(), 'act-'));
  try {
    const action = join(base, 'action');
    for (const path of SHIPPED) await cp(join(ROOT, path), join(action, path), { recursive: true });
    const repository = join(base, 'repository');
    const file = join(repository, '.github', 'workflows', 'data-set.yml');
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, workflow);
    await makeGitRepository(repository);
    // JSON is YAML as well, and YAML keeps every character.
    const secretFile = join(base, 'secrets.yml');
    await writeFile(secretFile, JSON.stringify(secrets));
    const home = join(base, 'home');
    // Without this file act asks which size of container to use.
    await mkdir(join(home, '.config', 'act'), { recursive: true });
    await writeFile(join(home, '.config', 'act', 'actrc'), '');
    const args = ['workflow_dispatch', '-W', file, '-P', 'ubuntu-latest=-self-hosted', '--secret-file', secretFile];
    const env = { PATH: process.env['PATH'], HOME: home };
    return await execute('act', [...args, '--local-repository', `${ACTION}=${action}`], repository, env);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

function readRepository(): string {
  const { repository }: { repository: string } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return repository.replace(/^github:/, '');
}

async function makeGitRepository(folder: string): Promise<void> {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org'];
  await run('git', ['init', '-q', '-b', 'main'], { cwd: folder });
  await run('git', ['remote', 'add', 'origin', 'https://github.com/example/diatoms.git'], { cwd: folder });
  await run('git', ['add', '-A'], { cwd: folder });
  await run('git', [...identity, 'commit', '-q', '-m', 'Test'], { cwd: folder });
}

function execute(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<WorkflowRun> {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? 1, log }));
  });
}
