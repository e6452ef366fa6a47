import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunnerSoftware } from '../../src/gpu-server/driver.ts';
import { runnerScript } from '../../src/gpu-server/runner-script.ts';
import { type RunningProgram, startProgram } from '../../src/runner/exec.ts';
import { run } from '../helpers/commands.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';
import { startServer } from '../helpers/loopback-server.ts';

const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');
const LONG = 5;
const SECONDS = 1 / 60;

let folder: string;
let work: string;
let api: GithubApi;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runner-script-'));
  work = join(folder, 'work');
  await mkdir(work);
  api = await startGithubApi();
});

afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

describe('one runner', () => {
  it('takes one job and leaves nothing behind', async () => {
    const { jitConfig, name, configurationFile } = await register();
    const script = start({ directory: STAND_IN }, LONG, configurationFile);
    await online(name);
    expect(await readdir(folder)).toEqual(['work']);
    api.giveJob(name);
    await vi.waitFor(() => expect(api.runnerNamed(name)?.busy).toBe(true), 10_000);
    api.finishJob(name);
    const { exitCode, stdout, stderr } = await script.result;
    expect(exitCode).toBe(0);
    expect(stdout).toContain('The runner has a job.');
    expect(stdout).toContain('The runner has ended (exit code 0).');
    expect(stdout + stderr).not.toContain(jitConfig);
    expect(api.runnerNamed(name)).toBeUndefined();
    expect(await readdir(work)).toEqual([]);
  });

  it('has its configuration in no argument of any process', async () => {
    const { jitConfig, name, configurationFile } = await register();
    const script = start({ directory: STAND_IN }, LONG, configurationFile);
    await online(name);
    const processes = await run('ps', ['-eww', '-o', 'args']);
    expect(processes).toContain('./run.sh');
    expect(processes).not.toContain(jitConfig);
    script.kill('SIGTERM');
    await script.result;
  });

  it('is ended when it got no job in time, and signs off', async () => {
    const { name, configurationFile } = await register();
    const { exitCode, stdout } = await start({ directory: STAND_IN }, 2 * SECONDS, configurationFile).result;
    expect(exitCode).toBe(0);
    expect(stdout).toContain('(input pick-up-minutes): the runner is ended.');
    expect(stdout).toContain('Exiting...');
    expect(api.runnerNamed(name)?.status).toBe('offline');
    expect(await readdir(work)).toEqual([]);
  });

  it('signs off on SIGTERM', async () => {
    const { name, configurationFile } = await register();
    const script = start({ directory: STAND_IN }, LONG, configurationFile);
    await online(name);
    script.kill('SIGTERM');
    const { exitCode, stdout } = await script.result;
    expect(exitCode).toBe(143);
    expect(stdout).toContain('The server is being stopped.');
    expect(api.runnerNamed(name)?.status).toBe('offline');
    expect(await readdir(work)).toEqual([]);
  });

  it('does not meet another that starts from the same folder', async () => {
    const first = await register('diatom-1-1');
    const second = await register('diatom-2-1');
    const scripts = [first, second].map(({ configurationFile }) =>
      start({ directory: STAND_IN }, LONG, configurationFile),
    );
    await Promise.all([online('diatom-1-1'), online('diatom-2-1')]);
    expect(await readdir(work)).toHaveLength(2);
    for (const script of scripts) script.kill('SIGTERM');
    await Promise.all(scripts.map(({ result }) => result));
    expect((await readdir(STAND_IN)).toSorted()).toEqual(['run.sh']);
    expect(await readdir(work)).toEqual([]);
  });

  it('is not started when its configuration is gone', async () => {
    const { exitCode, stdout } = await start({ directory: STAND_IN }, LONG, join(folder, 'none')).result;
    expect(exitCode).toBe(1);
    expect(stdout).toContain('The configuration of the runner is not there');
  });
});

describe('a job', () => {
  it('is known by the hook alone', async () => {
    const directory = await runner('bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"; sleep 4');
    const { exitCode, stdout } = await start({ directory }, 2 * SECONDS, await anyConfiguration()).result;
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('exit code 0') });
  });

  it('is known by the worker’s log alone, when the machine has a hook of its own', async () => {
    const own = join(folder, 'own-hook.sh');
    await writeFile(own, `: >${join(folder, 'own-hook-was-run')}\n`);
    const directory = await runner(
      'bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"; mkdir _diag; : >_diag/Worker_20261122-101500-utc.log; sleep 4',
    );
    const { stdout } = await start({ directory }, 2 * SECONDS, await anyConfiguration(), {
      ACTIONS_RUNNER_HOOK_JOB_STARTED: own,
    }).result;
    expect(stdout).toContain('exit code 0');
    expect(await readdir(folder)).toContain('own-hook-was-run');
  });
});

describe('a runner that', () => {
  it('does not end on SIGINT is killed with all that it has started', async () => {
    const pidFile = join(folder, 'pid');
    const directory = await runner(`trap '' INT TERM; sleep 1000 & echo $! >${pidFile}; wait`);
    const { exitCode } = await start({ directory }, SECONDS, await anyConfiguration()).result;
    expect(exitCode).toBe(0);
    const pid = (await readFile(pidFile, 'utf8')).trim();
    await vi.waitFor(
      async () => expect(await run('ps', ['-e', '-o', 'pid,stat'])).not.toMatch(new RegExp(`^ *${pid} [^Z]`, 'm')),
      5_000,
    );
  });

  it('is too old for GitHub is said to be so', async () => {
    const directory = await runner('[ "$ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE" = 1 ] && exit 7');
    const { exitCode, stdout } = await start({ directory }, LONG, await anyConfiguration()).result;
    expect(exitCode).toBe(1);
    expect(stdout).toContain('set a newer runner-version');
  });

  it('was registered by somebody else in that folder does not lend its registration', async () => {
    const directory = await runner('ls -A; cat .credentials 2>/dev/null; [ -e bin/Runner.Listener ]');
    await mkdir(join(directory, '_work'));
    await mkdir(join(directory, 'bin'));
    for (const file of ['.credentials', '.runner', 'bin/Runner.Listener']) {
      await writeFile(join(directory, file), 'other-registration');
    }
    const { exitCode, stdout } = await start({ directory }, LONG, await anyConfiguration()).result;
    expect(exitCode).toBe(0);
    expect(stdout).not.toMatch(/other-registration|\.runner|_work/);
  });

  it('is not in the folder named ends with a sentence', async () => {
    const { exitCode, stdout } = await start({ directory: work }, LONG, await anyConfiguration()).result;
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/runner-dir|not a runner of GitHub/);
  });
});

describe('the download', () => {
  it('is resumed when it breaks, checked and unpacked', async () => {
    const { bytes, sha256 } = await pack();
    const asked: (string | undefined)[] = [];
    const server = await startServer((request, response, number) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      asked.push(request.headers.range);
      const rest = bytes.subarray(from);
      response.writeHead(from > 0 ? 206 : 200, {
        'content-length': rest.length,
        ...(from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
      });
      if (number === 1) response.write(rest.subarray(0, 100), () => setTimeout(() => response.destroy(), 200));
      else response.end(rest);
    });
    const { name, configurationFile } = await register();
    const script = start({ url: `${server.origin}/runner`, sha256, version: '2.340.0' }, LONG, configurationFile);
    await online(name);
    script.kill('SIGTERM');
    await script.result;
    await server.close();
    expect(asked).toEqual([undefined, 'bytes=100-']);
    expect(await readdir(work)).toEqual([]);
  });

  it('that has another sum is not started', async () => {
    const { bytes } = await pack();
    const server = await startServer((_, response) => void response.end(bytes));
    const { exitCode, stdout } = await start(
      { url: `${server.origin}/runner`, sha256: 'b'.repeat(64), version: '2.340.0' },
      LONG,
      await anyConfiguration(),
    ).result;
    await server.close();
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`with the SHA-256 ${'b'.repeat(64)}`);
    expect(stdout).not.toContain('The runner is started.');
    expect(await readdir(work)).toEqual([]);
  });
});

/** Registers a runner as the action does, and writes its configuration where a driver would. */
async function register(name = 'diatom-1-1') {
  const response = await fetch(`${api.url}/repos/example/diatoms/actions/runners/generate-jitconfig`, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.runnerToken}` },
    body: JSON.stringify({ name, runner_group_id: 1, labels: [name] }),
  });
  const { encoded_jit_config: jitConfig }: { encoded_jit_config: string } = JSON.parse(await response.text());
  return { jitConfig, name, configurationFile: await write(`${name}.jit`, jitConfig) };
}

function anyConfiguration(): Promise<string> {
  return write('any.jit', 'YW55');
}

async function write(name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

function start(
  software: RunnerSoftware,
  pickUpMinutes: number,
  file: string,
  env: NodeJS.ProcessEnv = {},
): RunningProgram {
  return startProgram('bash', ['-c', runnerScript(software, pickUpMinutes)], {
    env: { ...process.env, DIATOM_JIT_FILE: file, DIATOM_WORK_DIR: work, ...env },
  });
}

function online(name: string): Promise<void> {
  return vi.waitFor(() => expect(api.runnerNamed(name)?.status).toBe('online'), { timeout: 20_000, interval: 50 });
}

/** A folder with a run.sh of these lines. */
async function runner(lines: string): Promise<string> {
  const directory = join(folder, 'installed runner');
  await mkdir(directory);
  await writeFile(join(directory, 'run.sh'), `#!/bin/bash\n${lines}\n`);
  await chmod(join(directory, 'run.sh'), 0o755);
  return directory;
}

async function pack(): Promise<{ bytes: Buffer; sha256: string }> {
  const file = join(folder, 'runner.tar.gz');
  await run('tar', ['-czf', file, '-C', STAND_IN, 'run.sh']);
  const bytes = await readFile(file);
  await rm(file);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}
