import { DiatomError } from '../errors.ts';
import { formatDuration } from '../format.ts';

/** Somebody has not answered in time. */
export class TooLate extends DiatomError {}

/**
 * What `work` comes to, if it does so in time. Where nothing else ends it, it goes on, and nobody hears of it.
 *
 * @throws TooLate when it takes longer
 */
export async function within<T>(ms: number, work: Promise<T>, who: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new TooLate('SERVER', `${who} did not answer within ${formatDuration(ms / 1_000)}.`);
    timer = setTimeout(() => reject(error), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
