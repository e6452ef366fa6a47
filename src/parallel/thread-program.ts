/** The side of a thread itself: what its program does its work with. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Answer, END, ENDED, packFailure, type ThreadStart } from './thread-messages.ts';

const { ending }: ThreadStart<unknown> = workerData;

/** What the thread was started with. */
export function startData<Data>(): Data {
  const { data }: ThreadStart<Data> = workerData;
  return data;
}

/**
 * Between any two steps of a long work: whoever started the thread does not need it any more.
 *
 * @throws Error then, so that the work closes what it has opened
 */
export function throwIfEnding(): void {
  if (Atomics.load(ending, 0) === 1) throw new Error(ENDED);
}

/**
 * Answers one request after the other, until it is asked to end: then nothing keeps the thread alive, and it ends.
 *
 * @param given memory of a reply that goes with it instead of being copied
 */
export function answerRequests<Request, Reply extends object>(
  answer: (request: Request) => Promise<Reply | undefined> | Reply | undefined,
  given: (reply: Reply) => readonly ArrayBuffer[] = () => [],
): void {
  const reply = (message: Answer<Reply>) =>
    parentPort?.postMessage(message, 'failure' in message ? [] : [...given(message)]);
  const respond = async (request: Request) => {
    try {
      throwIfEnding();
      const message = await answer(request);
      if (message !== undefined) reply(message);
    } catch (error) {
      reply({ failure: packFailure(error) });
    }
  };
  parentPort?.on('message', (message: Request | typeof END) => {
    if (message === END) parentPort?.close();
    else void respond(message);
  });
}
