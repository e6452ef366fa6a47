import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type RunActionOptions, startAction } from '../../scripts/run-action.ts';
import { startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { startArtifactServer } from '../helpers/artifact-server.ts';
import { fakeEngine } from '../helpers/fake-engine.ts';
import { CLASSES, metrics } from '../helpers/model.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import type { Row } from '../helpers/table.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';
import { drawPoint, endOf, eventOf, type Watch, watchEvents } from './kill-point.ts';
import { writeFiles } from './secrets-world.ts';

const PASSWORD = 'a password';
const RESULT = {
  'model.pth': 'weights '.repeat(20_000),
  'classes.json': JSON.stringify(CLASSES),
  'metrics.json': JSON.stringify(metrics()),
};
const ZIP = buildZip({
  entries: [
    ...['train', 'test'].flatMap((side, place) =>
      CLASSES.map((label, kind) => ({
        name: `results/${side}/${label}/1.bmp`,
        // What follows an image's end makes it large.
        data: Buffer.concat([bmp(2 * place + kind), Buffer.alloc(100_000)]),
      })),
    ),
    { name: 'results/manifest.csv', data: 'path,label,split,sha256,group\n' },
  ],
});

/** A place where trainings run one after the other, with a stand-in for the engine. */
async function place(watch: Watch) {
  const [directory, workspace, temp, tools] = ['cloud', 'workspace', 'temp', 'tools'].map((name) =>
    temporaryFolder(name),
  );
  if (!directory || !workspace || !temp || !tools) throw new Error('no folders');
  writeFiles(directory, { 'sets/set.zip': ZIP });
  const cloud = await startOwncloudServer({ directory, username: 'ada', password: PASSWORD, hook: watch.hook });
  onTestFinished(() => cloud.close());
  const service = await startArtifactServer({ fault: () => void watch.tick() });
  const engine = fakeEngine('docker', [
    { match: '^info', stdout: '["name=seccomp"]' },
    { match: '^image inspect', stdout: JSON.stringify({ Id: 'sha256:1', RepoDigests: [] }) },
    { match: '^run', writes: RESULT },
  ]);
  const options = (attempt: number): RunActionOptions => ({
    action: 'train-model',
    workspace,
    inputs: {
      ...{ image: 'lab/diatoms:1', dataset: 'sets/set.zip', gpus: 'none', 'keep-unpublished': 'true' },
      ...{
        'owncloud-url': cloud.url,
        'owncloud-folder': 'sets',
        'owncloud-username': 'ada',
        'owncloud-password': PASSWORD,
      },
    },
    env: {
      ...service.environment,
      ...{
        PATH: process.env['PATH'],
        RUNNER_TEMP: temp,
        RUNNER_TOOL_CACHE: tools,
        GITHUB_RUN_ATTEMPT: String(attempt),
      },
    },
    onOutput: watch.tick,
  });
  return { directory, workspace, temp, service, engine, options };
}

/** Results that say that they are whole are so. @returns how many */
function wholeResults(directory: string): number {
  const above = join(directory, 'sets', 'unpublished');
  const folders = existsSync(above) ? readdirSync(above).map((name) => join(above, name)) : [];
  const marked = folders.filter((folder) => existsSync(join(folder, 'SHA256SUMS')));
  for (const folder of marked)
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
  return marked.length;
}

let events: Promise<number> | undefined;

async function measure(): Promise<number> {
  const watch = watchEvents();
  const { options } = await place(watch);
  const result = await startAction(options(1)).result;
  expect(result.exitCode, result.stdout).toBe(0);
  return watch.count();
}

export function trainModelKills(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `train-model, point ${index + 1}`;
    return {
      name,
      prove: async () => {
        events ??= measure();
        const point = drawPoint(name);
        const at = eventOf(point, await events);
        const watch = watchEvents();
        const { directory, workspace, temp, service, engine, options } = await place(watch);
        const action = startAction(options(1));
        watch.arm(action, at, point);
        const ended = await endOf(action);
        const before = wholeResults(directory);
        for (const { zip, size } of service.artifacts.values()) expect(zip.length).toBe(Number(size));
        // As a runner does it: the step's own clean-up comes in a step of its own, whatever became of the first.
        const post = await startAction({ ...options(1), state: ended.state }).result;
        if (Object.keys(ended.state).length > 0) {
          expect(post, post.stdout).toMatchObject({ exitCode: 0 });
          expect(readdirSync(temp)).toEqual([]);
        }
        const removed = engine.argsOf('rm').map((args) => args.at(-1));
        for (const args of engine.argsOf('run')) expect(removed).toContain(args[args.indexOf('--name') + 1]);
        const next = await startAction(options(2)).result;
        expect(next, next.stdout).toMatchObject({
          exitCode: 0,
          outputs: { 'artifact-name': expect.stringMatching('model') },
        });
        expect(readFileSync(join(workspace, 'model', 'model.pth'), 'utf8')).toBe(RESULT['model.pth']);
        expect(wholeResults(directory)).toBeGreaterThan(before === 0 ? 0 : before - 1);
        expect(readdirSync(temp)).toEqual([]);
      },
    };
  });
}
