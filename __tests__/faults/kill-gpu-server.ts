import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { startGithubApi } from '../helpers/github-api.ts';
import { startGpuServer } from '../helpers/gpu-server.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import type { Row } from '../helpers/table.ts';
import { drawPoint, endOf, eventOf, type Watch, watchEvents } from './kill-point.ts';

/** A “server” that is a file: there while it runs. Its start takes a moment, in which a run may be ended. */
async function place(watch: Watch) {
  const [folder, workspace, temp] = ['server', 'workspace', 'temp'].map((name) => temporaryFolder(name));
  const server = join(folder ?? '', 'running');
  const api = await startGithubApi();
  onTestFinished(() => api.close());
  api.addRunner({ name: 'lab-1', labels: ['self-hosted', 'gpu'], status: 'online' });
  const start = (mode: string, state?: Readonly<Record<string, string>>) =>
    startGpuServer({
      workspace: workspace ?? '',
      api,
      env: { RUNNER_TEMP: temp },
      inputs: {
        ...{ mode, driver: 'command', 'server-limit': 'a person', 'stop-timeout-minutes': '1' },
        'start-command': `sleep 0.2; touch ${server}`,
        'stop-command': `rm -f ${server}`,
        'status-command': `if [ -e ${server} ]; then echo running; else echo stopped; fi`,
      },
      ...(state === undefined ? {} : { state }),
      onOutput: watch.tick,
    });
  return { start, isRunning: () => existsSync(server) };
}

const events = new Map<string, Promise<number>>();

async function measure(mode: string): Promise<number> {
  const { start } = await place(watchEvents());
  if (mode === 'stop') expect(await start('start').result).toMatchObject({ exitCode: 0 });
  const watch = watchEvents();
  const second = await place(watch);
  expect(await second.start(mode).result).toMatchObject({ exitCode: 0 });
  return watch.count();
}

export function gpuServerKills(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const mode = index % 3 === 2 ? 'stop' : 'start';
    const name = `gpu-server, ${mode}, point ${index + 1}`;
    return {
      name,
      prove: async () => {
        const known = events.get(mode) ?? measure(mode);
        events.set(mode, known);
        const point = drawPoint(name);
        const at = eventOf(point, await known);
        const watch = watchEvents();
        const { start, isRunning } = await place(watch);
        if (mode === 'stop') expect(await start('start').result).toMatchObject({ exitCode: 0 });
        const action = start(mode);
        watch.arm(action, watch.count() + at, point);
        await endOf(action);
        // The job that stops follows, whatever became of the one before.
        const stop = await start('stop').result;
        expect(stop, stop.stdout).toMatchObject({ exitCode: 0 });
        expect(isRunning()).toBe(false);
        // A command of the killed run that comes late starts nothing.
        await sleep(400);
        expect(isRunning()).toBe(false);
        const next = await start('start').result;
        expect(next, next.stdout).toMatchObject({ exitCode: 0 });
        expect(isRunning()).toBe(true);
      },
    };
  });
}
