import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type LockOptions, takeFolder } from '../../src/prepare-data/folder-lock.ts';
import { thisProcess } from '../../src/prepare-data/process-id.ts';
import { failureOf } from '../helpers/failure.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const RUN: LockOptions = {
  now: new Date('2026-11-28T17:28:30Z'),
  run: 'https://github.com/o/r/actions/runs/1',
  archive: 'diatom_set-2026-11-28-17-28-30.zip',
};

/** What a run that was ended by force has left, with some of its facts changed. */
function leave(folder: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  return takeFolder(folder, RUN).then(async (lock) => {
    const path = join(folder, '.diatom-run');
    const note: unknown = JSON.parse(readFileSync(path, 'utf8'));
    await lock.release();
    writeFileSync(path, JSON.stringify(Object.assign({}, note, { token: 'another' }, changes)));
  });
}

test('a folder is taken by one at a time, and left without a trace', async () => {
  const folder = temporaryFolder();
  const lock = await takeFolder(folder, RUN);
  const refusal = await failureOf(takeFolder(folder, { ...RUN, now: new Date('2026-11-28T17:30:00Z') }));
  expect(refusal).toMatchObject({ code: 'INPUT' });
  expect(refusal.message).toContain(`another run, begun 17:28, uses this folder (${folder})`);
  expect(refusal.message).toContain(`process ${process.pid}`);
  expect(refusal.message).toContain(RUN.run);
  expect(await readdir(folder)).toEqual(['.diatom-run']);
  await lock.release();
  expect(await readdir(folder)).toEqual([]);
});

test.runIf(process.platform === 'linux')(
  'of twenty at the same moment one gets it, also where a dead run had it',
  async () => {
    // Many rounds: a mistake here shows in one of a hundred.
    for (let round = 0; round < 100; round++) {
      const folder = temporaryFolder();
      await leave(folder, { pid: 2 ** 22 + 1, born: '1' });
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => takeFolder(folder, RUN)));
      const locks = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      expect(locks).toHaveLength(1);
      for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'INPUT' });
      await locks[0]?.release();
      expect(await readdir(folder)).toEqual([]);
    }
  },
);

test.runIf(process.platform === 'linux')(
  'runs that died while they took it over are followed by the next',
  async () => {
    const folder = temporaryFolder();
    await leave(folder, { pid: 2 ** 22 + 1, born: '1', archive: 'first.zip' });
    let before = readFileSync(join(folder, '.diatom-run'), 'utf8');
    for (const archive of ['second.zip', 'third.zip']) {
      const note: unknown = JSON.parse(before);
      const text = JSON.stringify(Object.assign({}, note, { token: archive, archive }));
      const name = createHash('sha256').update(before).digest('hex').slice(0, 16);
      writeFileSync(join(folder, `.diatom-run.after.${name}`), text);
      before = text;
    }
    const lock = await takeFolder(folder, RUN);
    expect(lock.dead.map(({ archive }) => archive)).toEqual(['first.zip', 'second.zip', 'third.zip']);
    await failureOf(takeFolder(folder, RUN));
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  },
);

test.runIf(process.platform === 'linux')('what a run had begun when it was ended by force is tidied away', async () => {
  const folder = temporaryFolder();
  const note = join(folder, '.diatom-run');
  await leave(folder, { pid: 2 ** 22 + 1, born: '1' });
  const dead = readFileSync(note, 'utf8');
  await leave(folder, {});
  const alive = readFileSync(note, 'utf8');
  rmSync(note);
  const files = {
    '.diatom-run.00000000000000aa': dead,
    '.diatom-run.00000000000000bb': alive,
    '.diatom-run.txt': dead,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  // As it is before anything is written to it.
  writeFileSync(join(folder, '.diatom-run.00000000000000cc'), '');
  const lock = await takeFolder(folder, RUN);
  await lock.release();
  expect((await readdir(folder)).sort()).toEqual([
    '.diatom-run.00000000000000bb',
    '.diatom-run.00000000000000cc',
    '.diatom-run.txt',
  ]);
});

describe.runIf(process.platform === 'linux')('a lock is taken over at once', () => {
  test('of a process that is gone', async () => {
    const folder = temporaryFolder();
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    const born = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[21];
    await leave(folder, { pid, born });
    const alive = await failureOf(takeFolder(folder, RUN));
    expect(alive.message).toContain(`process ${pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await takeFolder(folder, RUN);
    expect(lock.dead).toMatchObject([{ pid, archive: RUN.archive }]);
    await lock.release();
  });

  test('of a process whose number another has now', async () => {
    const folder = temporaryFolder();
    await leave(folder, { born: '1' });
    const lock = await takeFolder(folder, RUN);
    expect(lock.dead).toMatchObject([{ pid: process.pid }]);
    await lock.release();
  });
});

describe('a lock from another machine or container, with the number of a process that runs here,', () => {
  const QUICK = { ...RUN, beatMs: 50, silenceMs: 1_000 };

  test('is taken over when nobody writes to it', async () => {
    const folder = temporaryFolder();
    await leave(folder, { place: 'elsewhere', host: 'elsewhere' });
    const lock = await takeFolder(folder, QUICK);
    expect(lock.dead).toMatchObject([{ host: 'elsewhere' }]);
    await lock.release();
  });

  test('is respected while its owner writes to it', async () => {
    const folder = temporaryFolder();
    const owner = { ...(await thisProcess()), place: 'elsewhere', host: 'elsewhere' };
    const lock = await takeFolder(folder, { ...QUICK, owner });
    const refusal = await failureOf(takeFolder(folder, QUICK));
    expect(refusal.message).toContain('on elsewhere');
    await lock.release();
    await (await takeFolder(folder, QUICK)).release();
  });
});

test('runs that died before they had written a word are followed by the next', async () => {
  const folder = temporaryFolder();
  let path = join(folder, '.diatom-run');
  for (let run = 0; run < 2; run++) {
    writeFileSync(path, '');
    const { ino, mtimeMs } = statSync(path);
    const name = createHash('sha256').update(` ${ino} ${mtimeMs}`).digest('hex').slice(0, 16);
    path = join(folder, `.diatom-run.after.${name}`);
  }
  const lock = await takeFolder(folder, { ...RUN, silenceMs: 100 });
  expect(lock.dead).toEqual([]);
  await lock.release();
});

test('a file that is no note of a run is taken over when nobody writes to it', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, '.diatom-run'), '');
  const lock = await takeFolder(folder, { ...RUN, silenceMs: 100 });
  expect(lock.dead).toEqual([]);
  await lock.release();
});
