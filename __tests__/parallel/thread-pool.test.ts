import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startThread } from '../../src/parallel/thread.ts';
import { startThreadPool, type ThreadPool } from '../../src/parallel/thread-pool.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import type { OddReply, OddRequest } from './odd-thread.ts';

type OddPool = ThreadPool<OddRequest, OddReply>;

function oddPool(count: number) {
  const log = join(temporaryFolder('thread-pool'), 'log');
  let started = 0;
  const pool: OddPool = startThreadPool(count, (events) => {
    started++;
    return startThread({ program: 'odd-thread', base: import.meta.url, data: log }, events);
  });
  onTestFinished(async () => void (await pool.close()));
  return {
    pool,
    ask: (request: OddRequest) => pool.use((ask) => ask(request)),
    started: () => started,
    logged: () => (existsSync(log) ? readFileSync(log, 'utf8') : ''),
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

const ENDED = 'A thread ended before its work';

test('more requests than threads are all answered', async () => {
  const { ask, started } = oddPool(2);
  const said = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((say) => ask({ say })));
  expect(said).toEqual(['a', 'b', 'c', 'd', 'e'].map((word) => ({ said: word })));
  expect(started()).toBe(2);
});

test.each(['waiting', 'busy'] as const)('a thread that is %s in the middle of its work ends itself', async (how) => {
  const { pool, ask, logged } = oddPool(1);
  const asked = expect(ask({ work: how })).rejects.toThrow(ENDED);
  await until(() => logged() === 'begun\n');
  await pool.close();
  await asked;
  expect(logged()).toBe('begun\ntidied up\n');
});

test('threads that are still starting end without a word, and whoever asked them hears of it', async () => {
  const { pool, ask } = oddPool(3);
  const asked = Promise.allSettled(Array.from({ length: 5 }, () => ask({ say: 'hello' })));
  await pool.close();
  expect(await asked).toMatchObject(Array.from({ length: 5 }, () => ({ reason: { message: ENDED } })));
});

test('one that never comes back is ended by force', async () => {
  const { pool, ask, logged } = oddPool(2);
  const asked = expect(ask({ hang: true })).rejects.toThrow(ENDED);
  await until(() => logged() === 'hangs\n');
  await pool.close();
  await asked;
});

test('closing twice, at once or later, is closing once', async () => {
  const { pool, ask, started } = oddPool(2);
  await ask({ say: 'here' });
  await Promise.all([pool.close(), pool.close()]);
  await pool.close();
  await expect(ask({ say: 'still here?' })).rejects.toThrow(ENDED);
  expect(started()).toBe(2);
});

test.each([
  ['throwing', 'died as it was told'],
  ['leaving', 'The thread odd-thread ended by itself, with exit code 3'],
  ['of memory', 'The thread odd-thread ran out of memory: its heap may take 24 MB'],
] as const)('a thread that dies (%s) says why, and the next who asks gets another', async (die, message) => {
  const { ask, started } = oddPool(1);
  await expect(ask({ die })).rejects.toThrow(message);
  expect(await ask({ say: 'and now?' })).toEqual({ said: 'and now?' });
  expect(started()).toBe(2);
});

test('who waits for the place of a thread that dies is not drawn into it', async () => {
  const { ask } = oddPool(1);
  const outcomes = await Promise.allSettled([ask({ die: 'throwing' }), ask({ say: 'b' }), ask({ say: 'c' })]);
  expect(outcomes).toMatchObject([{ status: 'rejected' }, { value: { said: 'b' } }, { value: { said: 'c' } }]);
});

test('who gives memory that is gone hears of it, and nobody does when the pool is closed', async () => {
  const { pool } = oddPool(1);
  const memory = new ArrayBuffer(8);
  memory.transfer();
  await expect(pool.use((asked) => asked({ say: 'a' }, [memory]))).rejects.toThrow('Cannot transfer');
  // A promise that nobody has would end the program here.
  await pool.close();
});

test('a closed pool with dead threads starts no others', async () => {
  const { pool, ask, started } = oddPool(1);
  await expect(ask({ die: 'throwing' })).rejects.toThrow();
  await pool.close();
  await expect(ask({ say: 'b' })).rejects.toThrow();
  expect(started()).toBe(1);
});
