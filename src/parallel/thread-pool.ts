import type { Thread, ThreadEvents } from './thread.ts';
import { ENDED, unpackFailure } from './thread-messages.ts';

/** Asks a thread for something, and may give it memory of the request. @throws what the thread failed with */
export type Ask<Request, Reply> = (request: Request, given?: readonly ArrayBuffer[]) => Promise<Reply>;

/** Threads of one program, which answer a request at a time. Each is lent to whoever comes first. */
export interface ThreadPool<Request, Reply> {
  readonly count: number;
  use<T>(work: (ask: Ask<Request, Reply>) => Promise<T>): Promise<T>;
  /** Ends them, whatever they do. */
  close(): Promise<unknown>;
}

/** How a pool gets a thread. */
export type StartThread<Request, Reply> = (events: ThreadEvents<Reply>) => Thread<Request>;

/** A thread that dies is replaced when its place is lent again: who had it has its failure, and nobody else. */
export function startThreadPool<Request, Reply extends object>(
  count: number,
  start: StartThread<Request, Reply>,
): ThreadPool<Request, Reply> {
  const all = Array.from({ length: count }, () => createPlace(start));
  const free = [...all];
  const waiting: ((place: (typeof all)[number]) => void)[] = [];
  return {
    count,
    async use(work) {
      const place = free.shift() ?? (await new Promise<(typeof all)[number]>((resolve) => waiting.push(resolve)));
      try {
        return await work(place.lend());
      } finally {
        const next = waiting.shift();
        if (next) next(place);
        else free.push(place);
      }
    },
    close: () => Promise.all(all.map((place) => place.close())),
  };
}

/** For a reply to another request than was made. */
export function outOfTurn(): never {
  throw new Error('A thread answered out of turn');
}

/** Always holds a thread that can be asked, until it is closed. */
function createPlace<Request, Reply extends object>(start: StartThread<Request, Reply>) {
  let member = createMember(start);
  let closed: Promise<void> | undefined;
  return {
    lend(): Ask<Request, Reply> {
      if (!closed && member.isGone()) member = createMember(start);
      return member.ask;
    },
    close() {
      closed ??= member.end();
      return closed;
    },
  };
}

function createMember<Request, Reply extends object>(start: StartThread<Request, Reply>) {
  let pending: PromiseWithResolvers<Reply> | undefined;
  /** Why nothing can be asked any more. */
  let gone: unknown;
  const leave = (reason: unknown) => {
    gone ??= reason;
    pending?.reject(gone);
  };
  const thread = start({
    onReply(reply) {
      if ('failure' in reply) pending?.reject(unpackFailure(reply.failure));
      else pending?.resolve(reply);
    },
    onGone: leave,
  });
  return {
    isGone: () => gone !== undefined,
    async ask(request: Request, given?: readonly ArrayBuffer[]): Promise<Reply> {
      if (gone !== undefined) throw gone;
      thread.send(request, given);
      pending = Promise.withResolvers<Reply>();
      return pending.promise;
    },
    end() {
      leave(new Error(ENDED));
      return thread.end();
    },
  };
}
