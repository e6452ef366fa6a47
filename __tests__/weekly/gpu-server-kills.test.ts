import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { draw, SEED } from '../helpers/draw.ts';
import { type GithubApi, SILENCE_MS, startGithubApi } from '../helpers/github-api.ts';
import { GPU_PLACES, type GpuPlace } from '../helpers/gpu-places.ts';
import { type GpuServerRun, runGpuServer, startGpuServer } from '../helpers/gpu-server.ts';

/** Of each driver: so many runs are ended by force, at moments spread over the whole of them; a few have ended before. */
const ROUNDS = 36;
/** How many go on at the same time. */
const LANES = 3;
/** A program that a killed run has started may go on after it: so long what it makes may come late. */
const LATE_MS = 5_000;
const SOON = { timeout: 60_000, interval: 500 };
const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');
/** A training that has nothing to do with any of it, and must go on. */
const OTHER = '499';

describe.each(GPU_PLACES)('$driver: of runs that are killed', ({ driver, open }) => {
  let place: GpuPlace;
  let api: GithubApi;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kills-'));
    api = await startGithubApi();
    place = await open();
  });
  afterAll(async () => {
    await place?.close();
    await api?.close();
    await rm(folder, { recursive: true, force: true });
  });

  function action(mode: string, runId: string): GpuServerRun {
    const { inputs, env } = place;
    const own = { mode, 'runner-dir': STAND_IN, 'lifetime-hours': '2', 'stop-timeout-minutes': '3' };
    return { workspace: folder, api, env, runId, inputs: { ...own, ...inputs } };
  }

  /** How long a run takes that nobody disturbs, in milliseconds. */
  async function timeOf(mode: string, runId: string): Promise<number> {
    const began = performance.now();
    const result = await runGpuServer(action(mode, runId));
    expect(result, result.stdout).toMatchObject({ exitCode: 0 });
    return performance.now() - began;
  }

  /** @returns whether the run was killed, and had not come to its end before */
  async function kill(mode: string, runId: string, afterMs: number): Promise<boolean> {
    const running = startGpuServer(action(mode, runId));
    const timer = setTimeout(() => running.kill('SIGKILL'), afterMs);
    const { exitCode } = await running.result;
    clearTimeout(timer);
    return exitCode === 137;
  }

  test('no server is left, no registration, and nobody else’s training ends, whether the stop follows or the reaper', async () => {
    api.runs.set(OTHER, { status: 'in_progress', run_attempt: 1 });
    api.runs.set('500', { status: 'in_progress', run_attempt: 1 });
    const startMs = await timeOf('start', '500');
    const stopMs = await timeOf('stop', '500');
    expect((await runGpuServer(action('start', OTHER))).exitCode).toBe(0);
    const other = `diatom-${OTHER}-1`;
    api.giveJob(other);
    await vi.waitFor(() => expect(api.runnerNamed(other)?.busy).toBe(true), SOON);

    const rounds = Array.from({ length: ROUNDS }, (_, index) => index);
    const names: string[] = [];
    let killed = 0;
    const lane = async () => {
      for (let round = rounds.shift(); round !== undefined; round = rounds.shift()) {
        const runId = String(501 + round);
        const name = `diatom-${runId}-1`;
        const mode = round % 3 === 2 ? 'stop' : 'start';
        api.runs.set(runId, { status: 'in_progress', run_attempt: 1 });
        if (mode === 'stop') expect((await runGpuServer(action('start', runId))).exitCode).toBe(0);
        const whole = mode === 'stop' ? stopMs : startMs;
        if (await kill(mode, runId, draw(`${driver} ${mode} ${round}`) * whole)) killed++;
        const isReaped = round % 2 === 1;
        if (isReaped) api.runs.set(runId, { status: 'completed', run_attempt: 1 });
        // A reaper comes within the hour; what a killed run has started has ended by then.
        if (isReaped) await sleep(LATE_MS);
        const end = await runGpuServer(isReaped ? action('reap', '498') : action('stop', runId));
        expect(end, `${mode} of ${runId}: ${end.stdout}`).toMatchObject({ exitCode: 0 });
        await sleep(LATE_MS);
        expect(await place.servers(), `${mode} of ${runId}: ${end.stdout}`).not.toContain(name);
        names.push(name);
        api.runs.set(runId, { status: 'completed', run_attempt: 1 });
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect(names).toHaveLength(ROUNDS);
    // Of a machine that is deleted GitHub hears no more, and takes its runner for offline; the next reaper then removes it.
    await sleep(SILENCE_MS + LATE_MS);
    expect(await runGpuServer(action('reap', '498'))).toMatchObject({ exitCode: 0 });
    expect(names.filter((name) => api.runnerNamed(name))).toEqual([]);

    console.log(`${driver}: ${killed} of ${ROUNDS} were ended before their end (seed ${SEED})`);
    expect(api.runnerNamed(other)).toMatchObject({ status: 'online', busy: true });
    expect(await place.servers()).toEqual([other]);
    expect((await runGpuServer(action('stop', OTHER))).exitCode).toBe(0);
    expect(await place.servers()).toEqual([]);
  });
});
