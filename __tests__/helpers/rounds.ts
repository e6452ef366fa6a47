import { setTimeout as sleep } from 'node:timers/promises';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';

/** After so many turns without another request, nobody sends one before an answer comes. */
const QUIET_TURNS = 12;
const TURN_MS = 5;

/**
 * Lets a server answer in rounds: requests wait until no other comes, and then all of them are let go. A request that needs an
 * answer comes a round after it, so there are at least as many rounds as requests that wait for each other. A request that comes late, on a
 * busy machine, can make the rounds more, and never fewer.
 */
export function inRounds(inner: Hook) {
  let isOn = false;
  let waiting: { readonly request: string; readonly letGo: () => void }[] = [];
  const hook: Hook = async (request, proceed) => {
    if (isOn) {
      const { method, path } = request;
      await new Promise<void>((resolve) => waiting.push({ request: `${method} ${path}`, letGo: resolve }));
    }
    return inner(request, proceed);
  };
  /** @returns the requests of each round until `work` ends */
  async function during(work: Promise<unknown>): Promise<string[][]> {
    isOn = true;
    let hasEnded = false;
    const end = work.finally(() => {
      hasEnded = true;
    });
    end.catch(() => {});
    const rounds: string[][] = [];
    while (!hasEnded) {
      for (let [quiet, seen] = [0, 0]; quiet < QUIET_TURNS && !hasEnded; quiet++) {
        await sleep(TURN_MS);
        if (waiting.length !== seen) [quiet, seen] = [0, waiting.length];
      }
      if (waiting.length === 0) continue;
      const round = waiting;
      waiting = [];
      rounds.push(round.map(({ request }) => request));
      for (const { letGo } of round) letGo();
    }
    isOn = false;
    await end;
    return rounds;
  }
  return { hook, during };
}
