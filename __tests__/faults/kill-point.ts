import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningAction } from '../../scripts/run-action.ts';
import type { Answer, Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { draw, drawOne, drawWhole } from '../helpers/draw.ts';

/**
 * When a run is ended by force: with one of the requests that it makes, or lines that it prints, before the server has done
 * what it was asked or after, and so many milliseconds later.
 */
export interface KillPoint {
  /** Which of all events of a whole run, from 0 to 1. */
  readonly share: number;
  readonly phase: 'before' | 'after';
  readonly delayMs: number;
}

export function drawPoint(name: string): KillPoint {
  return {
    share: draw(`${name} share`),
    phase: drawOne(`${name} phase`, ['before', 'after']),
    // Half of them at once; the others in what a run does by itself between two events.
    delayMs: Math.max(0, drawWhole(`${name} delay`, -150, 150)),
  };
}

/** Counts what a run does, and ends it at a point. */
export interface Watch {
  /** For a server: sees each request. */
  readonly hook: Hook;
  /** For anything else that happens. */
  tick(): void;
  readonly count: () => number;
  /** Ends `action` when so many events have been seen, counted from 1. */
  arm(action: RunningAction, at: number, point: KillPoint): void;
}

export function watchEvents(): Watch {
  let count = 0;
  let armed: { readonly action: RunningAction; readonly at: number; readonly point: KillPoint } | undefined;
  const isPoint = () => ++count === armed?.at;
  const end = async () => {
    if (!armed) return;
    const { action, point } = armed;
    if (point.delayMs > 0) await sleep(point.delayMs);
    action.kill('SIGKILL');
  };
  return {
    hook: async (_, proceed): Promise<Answer | undefined> => {
      if (!isPoint() || !armed) return undefined;
      const answer = armed.point.phase === 'after' ? await proceed() : undefined;
      if (armed.point.delayMs === 0) await end();
      else void end();
      return answer;
    },
    tick: () => void (isPoint() && void end()),
    count: () => count,
    arm: (action, at, point) => {
      armed = { action, at, point };
      if (count >= at) void end();
    },
  };
}

/** A point as the number of an event, when a whole run has so many. */
export function eventOf({ share }: KillPoint, events: number): number {
  return 1 + Math.floor(share * events);
}

/** How many of the runs were ended at their points: one may have come to its end before. */
export const killed = { count: 0 };

export async function endOf(action: RunningAction) {
  const result = await action.result;
  if (result.exitCode === 137) killed.count++;
  return result;
}
