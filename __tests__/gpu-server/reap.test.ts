import { describe, expect, test } from 'vitest';
import { decide, type Ownership } from '../../src/gpu-server/reap.ts';
import { runOf, serverName } from '../../src/model/server-name.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const PAST = new Date('2026-11-22T11:59:59Z');
const FUTURE = new Date('2026-11-22T12:00:01Z');

describe('what may be stopped', () => {
  const live = (attempt = 1) => ({ isOver: false, attempt });
  test.each<{ what: string; owner: Ownership; deadline?: Date; stop: boolean; why: string }>([
    {
      what: 'its run is not found, and its runner is at work',
      owner: { run: undefined, attempt: 1, busy: true },
      stop: false,
      why: 'has a job',
    },
    { what: 'its run was deleted', owner: { run: undefined, attempt: 1, busy: undefined }, stop: true, why: 'deleted' },
    {
      what: 'its run is over',
      owner: { run: { isOver: true, attempt: 1 }, attempt: 1, busy: undefined },
      stop: true,
      why: 'is over',
    },
    { what: 'its run goes on', owner: { run: live(), attempt: 1, busy: false }, stop: false, why: 'its run goes on' },
    {
      what: 'nobody knows its runner',
      owner: { run: live(), attempt: 1, busy: undefined },
      stop: false,
      why: 'goes on',
    },
    {
      what: 'its deadline is past',
      owner: { run: live(), attempt: 1, busy: false },
      deadline: PAST,
      stop: true,
      why: 'deadline is past',
    },
    {
      what: 'its deadline is past, and nobody knows its runner',
      owner: { run: live(), attempt: 1, busy: undefined },
      deadline: PAST,
      stop: true,
      why: 'deadline is past',
    },
    {
      what: 'its deadline is past, and its runner has a job of the live run',
      owner: { run: live(), attempt: 1, busy: true },
      deadline: PAST,
      stop: false,
      why: 'has a job',
    },
    {
      what: 'its deadline is to come',
      owner: { run: live(), attempt: 1, busy: false },
      deadline: FUTURE,
      stop: false,
      why: 'goes on',
    },
    {
      what: 'a newer attempt goes on without it',
      owner: { run: live(2), attempt: 1, busy: false },
      stop: true,
      why: 'attempt 2 of its run goes on, and its runner has no job',
    },
    {
      what: 'a newer attempt uses it',
      owner: { run: live(2), attempt: 1, busy: true },
      stop: false,
      why: 'has a job',
    },
    {
      what: 'a newer attempt goes on, and nobody knows its runner',
      owner: { run: live(2), attempt: 1, busy: undefined },
      stop: false,
      why: 'nobody can say whether its runner has a job',
    },
  ])('$what: $stop', ({ owner, deadline, stop, why }) => {
    const verdict = decide({ deadline }, owner, NOW);
    expect(verdict.stop).toBe(stop);
    expect(verdict.why).toContain(why);
  });
});

test('a server’s name tells its run and attempt, and other names none', () => {
  const old = { runId: '123', attempt: 2, key: '' };
  expect(serverName(old)).toBe('diatom-123-2');
  for (const run of [old, { ...old, key: 'model' }, { ...old, key: 'model-b-3' }, { ...old, key: '7' }])
    expect(runOf(serverName(run))).toEqual(run);
  for (const name of ['diatom-1', 'diatom-1-1--check', 'diatom-1-1-', 'x-diatom-1-1', 'diatom-a-1', 'diatom-1-1-A'])
    expect(runOf(name)).toBeUndefined();
});
