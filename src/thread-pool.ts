import type { Worker } from 'node:worker_threads';
import { type Answer, unpackFailure } from './thread.ts';

/** Asks a thread for something. @throws what the thread failed with */
export type Ask<Request, Reply> = (request: Request) => Promise<Reply>;

/** Threads of one program, which answer a request at a time. Each is lent to whoever comes first. */
export interface ThreadPool<Request, Reply> {
  readonly count: number;
  use<T>(work: (ask: Ask<Request, Reply>) => Promise<T>): Promise<T>;
  /** Ends them, whatever they do. */
  close(): Promise<unknown>;
}

export function startThreadPool<Request, Reply extends object>(
  count: number,
  start: () => Worker,
): ThreadPool<Request, Reply> {
  const all = Array.from({ length: count }, () => createMember<Request, Reply>(start()));
  const free = [...all];
  const waiting: ((member: (typeof all)[number]) => void)[] = [];
  return {
    count,
    async use(work) {
      const member = free.shift() ?? (await new Promise<(typeof all)[number]>((resolve) => waiting.push(resolve)));
      try {
        return await work(member.ask);
      } finally {
        const next = waiting.shift();
        if (next) next(member);
        else free.push(member);
      }
    },
    close: () => Promise.all(all.map((member) => member.close())),
  };
}

/** For a reply to another request than was made. */
export function outOfTurn(): never {
  throw new Error('A thread answered out of turn');
}

function createMember<Request, Reply extends object>(thread: Worker) {
  let pending: PromiseWithResolvers<Reply> | undefined;
  let broken: unknown;
  thread.on('message', (reply: Answer<Reply>) => {
    if ('failure' in reply) pending?.reject(unpackFailure(reply.failure));
    else pending?.resolve(reply);
  });
  const end = (error: unknown) => {
    broken ??= error;
    pending?.reject(broken);
  };
  thread.on('error', end);
  thread.on('exit', () => end(new Error('A thread ended before its work')));
  return {
    ask(request: Request): Promise<Reply> {
      if (broken !== undefined) return Promise.reject(broken);
      thread.postMessage(request);
      pending = Promise.withResolvers<Reply>();
      return pending.promise;
    },
    close: () => thread.terminate(),
  };
}
