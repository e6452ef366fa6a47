import { messageOf, unlessCancelled } from '../errors.ts';
import { DEFAULT_RETRY_POLICY } from '../http/retry.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import type { LockedFolder } from './locked-folder.ts';

/** The model is where it should be; nothing else may hold its folder, or the job, for longer. Milliseconds. */
const TIME_LIMIT_MS = 5 * 60_000;

/** What has heard its signal has so long to clean up, less than the runner waits before it kills. Milliseconds. */
const CLEAN_UP_MS = 6_500;

/**
 * Does what must never turn a good publication red: whatever goes wrong, or takes too long, is a warning. It is tried less
 * often, and a server that hangs ends it. What does not hear its signal is left to itself: it must look at the signal before it
 * names or deletes anything.
 *
 * @param failed begins the warning, as in “The page was not written”
 * @param patience by which the time for it is multiplied
 */
export async function asWarning(
  { options, sideLimitMs = TIME_LIMIT_MS }: Pick<LockedFolder, 'options' | 'sideLimitMs'>,
  failed: string,
  work: (options: RemoteOptions) => Promise<void>,
  patience = 1,
): Promise<void> {
  const limit = AbortSignal.timeout(sideLimitMs * patience);
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
  const policy = options.policy ?? DEFAULT_RETRY_POLICY;
  const leave = new AbortController();
  let cleaningUp: NodeJS.Timeout | undefined;
  const onAbort = () => {
    cleaningUp = setTimeout(() => leave.abort(), Math.min(CLEAN_UP_MS, sideLimitMs));
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    const working = work({ ...options, signal, policy: { ...policy, tries: Math.min(policy.tries, 3) } });
    await unlessCancelled(working, leave.signal);
  } catch (error) {
    const isLate = limit.aborted && !options.signal?.aborted;
    options.onWarning?.(`${failed}: ${isLate ? 'the server took too long.' : messageOf(error)}`);
  } finally {
    clearTimeout(cleaningUp);
    signal.removeEventListener('abort', onAbort);
  }
}
