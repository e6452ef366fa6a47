import { expect, test } from 'vitest';
import { asWarning } from '../../src/publish-model/as-warning.ts';

/** What hears no signal. */
const never = () => new Promise<never>(() => {});

test('work that hears no signal is left when its time is over, with a warning', async () => {
  const warnings: string[] = [];
  const options = { onWarning: (message: string) => void warnings.push(message) };
  await asWarning({ options, sideLimitMs: 20 }, 'Not done', never);
  expect(warnings).toEqual(['Not done: the server took too long.']);
});

test('work that hears no signal is left when the run is cancelled, before it begins or later', async () => {
  const warnings: string[] = [];
  const run = new AbortController();
  const options = { signal: run.signal, onWarning: (message: string) => void warnings.push(message) };
  const limits = { options, sideLimitMs: 100 };
  const working = asWarning(limits, 'Not done', never, 1_000);
  run.abort();
  await Promise.all([working, asWarning(limits, 'Not begun', never, 1_000)]);
  expect(warnings.sort()).toEqual(['Not begun: The run was cancelled.', 'Not done: The run was cancelled.']);
});

test('work that hears its signal has time to clean up before the next thing is done', async () => {
  let isClean = false;
  const work = async ({ signal }: { readonly signal?: AbortSignal | undefined }) => {
    await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
    isClean = true;
  };
  await asWarning({ options: {}, sideLimitMs: 300 }, 'Not done', work);
  expect(isClean).toBe(true);
});
