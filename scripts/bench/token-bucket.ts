import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until so many bytes may pass. */
export type Bucket = (bytes: number) => Promise<void>;

/** Timers are late by a few milliseconds; so much of what was missed may be caught up with. */
const SLACK_MS = 20;

/** Lets bytes pass at a steady rate, all connections of a server together. */
export function createBucket(bytesPerSecond: number): Bucket {
  let freeAt = performance.now();
  return async (bytes) => {
    const now = performance.now();
    freeAt = Math.max(freeAt, now - SLACK_MS) + (bytes / bytesPerSecond) * 1_000;
    if (freeAt > now) await sleep(freeAt - now);
  };
}
