import { cp } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Answer, type Hook, startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { mapParallel } from '../../src/parallel/map-parallel.ts';
import { someOf } from '../helpers/draw.ts';
import {
  filesOf,
  foldersOf,
  modelDir,
  publishTask,
  type RunOptions,
  rollBackTask,
  runPublish,
} from '../helpers/model.ts';
import { PASSWORD, temporaryFolder, USER } from '../helpers/owncloud.ts';

/**
 * What happens to the request that is hit, and to those after it.
 *
 * - `a lost answer`  it is served, but nobody hears of it; those after it are served
 * - `a refusal`      it is refused for good; those after it are served
 * - `death`          it is served without an answer, and then nothing is: the server, the network or the runner is gone
 */
const FAULTS = {
  'a lost answer': async (proceed) => {
    await proceed();
    return 'hang up';
  },
  'a refusal': async () => DEAD,
  death: async (proceed) => {
    await proceed();
    return DEAD;
  },
} satisfies Record<string, (proceed: () => Promise<Answer>) => Promise<Answer | 'hang up'>>;

type Fault = keyof typeof FAULTS;

/** A refusal that no try can overcome, so that the test of a dead server does not have to wait. */
const DEAD: Answer = { status: 403 };

const LATER = () => new Date(Date.now() + 2 * 3_600_000);

/** A server on a copy of `template`, which is hit at the request of that number, counted from 0. */
async function hitServer(template: string, fault?: Fault, hit = 0) {
  const directory = await temporaryFolder();
  await cp(template, directory, { recursive: true });
  let count = 0;
  let alive = true;
  const hook: Hook = async (_, proceed) => {
    const number = count++;
    if (fault === undefined || number < hit || !alive) return undefined;
    if (number > hit) return fault === 'death' ? DEAD : undefined;
    return FAULTS[fault](proceed);
  };
  const server = await startOwncloudServer({ directory, username: USER, password: PASSWORD, hook });
  const heal = () => {
    alive = false;
  };
  return { ...server, directory, heal, requests: () => count };
}

/** A server's directory with the versions given, the last of them in production. */
async function published(...models: readonly (readonly [version: string, folder: string])[]) {
  const server = await hitServer(await temporaryFolder());
  for (const [version, folder] of models) {
    await runPublish({ url: server.url, task: publishTask(folder, version) });
  }
  await server.close();
  return server.directory;
}

/** Runs `attempt` for the requests of a run that meets no fault, six at a time. @returns how many there are */
async function atEveryRequest(
  template: string,
  task: RunOptions['task'],
  attempt: (hit: number) => Promise<void>,
): Promise<number> {
  const server = await hitServer(template);
  await runPublish({ url: server.url, task });
  await server.close();
  const requests = server.requests();
  const hits = someOf([...Array(requests).keys()], 7);
  await mapParallel(hits, 6, attempt);
  return requests;
}

/** Few small files: every request of a run is hit once by every fault. */
const small = (weights: string) =>
  modelDir(weights, { 'model.pth': weights, 'training-images.csv': undefined, 'MODEL_CARD.md': '# Tiny\n' });

type Files = ReturnType<typeof filesOf>;

/** Production is the old or the new version, whole; or not there, and then the old one is kept for the next run. */
function expectWhole(directory: string, old: Files, replacement: Files): void {
  const production = filesOf(directory, 'production');
  if (production !== undefined) expect([old, replacement]).toContainEqual(production);
  else {
    const copies = foldersOf(directory).filter((name) => name.startsWith('production.previous-'));
    expect(copies.map((name) => filesOf(directory, name))).toContainEqual(old);
  }
}

describe.each(Object.keys(FAULTS).filter((name): name is Fault => name in FAULTS))('%s at any request', (fault) => {
  const passes = fault === 'a lost answer';

  test(`of a publish leaves production whole, and ${passes ? 'the run gets through' : 'the next run gets through'}`, async () => {
    const [first, second] = [await small('first'), await small('second')];
    const template = await published(['v1', first]);
    const v1 = filesOf(template, 'v1');
    const old = filesOf(template, 'production');
    const v2 = filesOf(await published(['v2', second]), 'v2');
    const replacement = { ...v2, VERSION: 'v2\n' };
    const task = publishTask(second, 'v2');
    const requests = await atEveryRequest(template, task, async (hit) => {
      const server = await hitServer(template, fault, hit);
      const run = { url: server.url, task };
      const outcome = await runPublish(run).catch(() => undefined);
      if (passes) expect(outcome?.promoted, `request ${hit}`).toBe(true);
      expectWhole(server.directory, old, replacement);
      expect(filesOf(server.directory, 'v1')).toEqual(v1);
      expect([undefined, v2]).toContainEqual(filesOf(server.directory, 'v2'));
      server.heal();
      expect(await runPublish({ ...run, context: { now: LATER } })).toMatchObject({ promoted: true });
      expect(filesOf(server.directory, 'production')).toEqual(replacement);
      const [, copy = '', ...versions] = foldersOf(server.directory);
      expect(filesOf(server.directory, copy)).toEqual(old);
      expect(versions).toEqual(['v1', 'v2']);
      await server.close();
    });
    expect(requests).toBeGreaterThan(40);
  });

  test(`of a roll-back leaves production whole, and ${passes ? 'the run gets through' : 'the next run gets through'}`, async () => {
    const template = await published(['v1', await small('first')], ['v2', await small('second')]);
    const old = filesOf(template, 'production');
    const replacement = { ...filesOf(template, 'v1'), VERSION: 'v1\n' };
    const task = rollBackTask('v1');
    const requests = await atEveryRequest(template, task, async (hit) => {
      const server = await hitServer(template, fault, hit);
      const run = { url: server.url, task };
      const outcome = await runPublish(run).catch(() => undefined);
      if (passes) expect(outcome?.promoted, `request ${hit}`).toBe(true);
      expectWhole(server.directory, old, replacement);
      server.heal();
      await runPublish({ ...run, context: { now: LATER } });
      expect(filesOf(server.directory, 'production')).toEqual(replacement);
      for (const version of ['v1', 'v2'])
        expect(filesOf(server.directory, version)).toEqual(filesOf(template, version));
      await server.close();
    });
    expect(requests).toBeGreaterThan(20);
  });
});

test('a reader finds the old or the new version whole at every moment but before the one request that brings in the new', async () => {
  const [first, second] = [await small('first'), await small('second')];
  const directory = await published(['v1', first]);
  const old = filesOf(directory, 'production');
  const missingAt: string[] = [];
  const seen: Files[] = [];
  const server = await startOwncloudServer({
    directory,
    username: USER,
    password: PASSWORD,
    hook: ({ method, headers }) => {
      const production = filesOf(directory, 'production');
      if (production === undefined) missingAt.push(`${method} ${String(headers['destination']).split('/').at(-2)}`);
      else seen.push(production);
      return undefined;
    },
  });
  await runPublish({ url: server.url, task: publishTask(second, 'v2') });
  await server.close();
  const replacement = { ...filesOf(directory, 'v2'), VERSION: 'v2\n' };
  for (const production of seen) expect([old, replacement]).toContainEqual(production);
  expect(seen).toContainEqual(replacement);
  expect(missingAt).toEqual(['MOVE production']);
});

test('when production can’t be replaced for good, what was there is put back in the same run', async () => {
  const directory = await published(['v1', await small('first')]);
  const old = filesOf(directory, 'production');
  const server = await startOwncloudServer({
    directory,
    username: USER,
    password: PASSWORD,
    hook: ({ method, headers, path }) =>
      method === 'MOVE' && path.includes('production.next-') && String(headers['destination']).endsWith('/production/')
        ? { status: 500 }
        : undefined,
  });
  const run = runPublish({ url: server.url, task: publishTask(await small('second'), 'v2') });
  await expect(run).rejects.toThrow('did not rename');
  await server.close();
  expect(filesOf(directory, 'production')).toEqual(old);
  expect(foldersOf(directory).filter((name) => name.startsWith('production.previous-'))).toEqual([]);
});

test('of publishes at once every one ends whole: production is the one that came last, and no version is lost', async () => {
  const directory = await temporaryFolder();
  const server = await startOwncloudServer({ directory, username: USER, password: PASSWORD });
  const versions = ['v1', 'v2', 'v3', 'v4'];
  const models = await Promise.all(versions.map(small));
  const patience = { staleMs: 3_600_000, waitMs: 50_000, pollMs: 20 };
  const outcomes = await Promise.all(
    models.map((folder, index) =>
      runPublish({ url: server.url, task: publishTask(folder, versions[index] ?? ''), context: { patience } }),
    ),
  );
  await server.close();
  expect(outcomes.map(({ promoted }) => promoted)).toEqual([true, true, true, true]);
  const before = outcomes.map(({ production }) => production?.version);
  const last = versions.filter((version) => !before.includes(version));
  expect(new Set(before).size).toBe(4);
  expect(filesOf(directory, 'production')).toEqual({ ...filesOf(directory, last[0] ?? ''), VERSION: `${last[0]}\n` });
  expect(foldersOf(directory)).toEqual(['production', expect.stringContaining('previous'), ...versions]);
});
