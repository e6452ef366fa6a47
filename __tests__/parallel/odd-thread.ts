/** A thread that does what threads should not: for tests of those that have to do with it. */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerRequests, startData, throwIfEnding } from '../../src/parallel/thread-program.ts';

export type OddRequest =
  | { readonly say: string }
  /** Works in steps, for ever, and notes in its log when it begins and when it leaves. */
  | { readonly work: 'waiting' | 'busy' }
  /** Never comes back, and looks at nothing. */
  | { readonly hang: true }
  | { readonly die: 'throwing' | 'leaving' | 'of memory' };

export interface OddReply {
  readonly said: string;
}

const log = startData<string>();

answerRequests<OddRequest, OddReply>(async (request) => {
  if ('say' in request) return { said: request.say };
  if ('hang' in request) return hang();
  if ('work' in request) return work(request.work);
  if (request.die === 'leaving') process.exit(3);
  if (request.die === 'of memory') fillMemory();
  setImmediate(() => {
    throw new Error('died as it was told');
  });
  return undefined;
});

async function work(how: 'waiting' | 'busy'): Promise<never> {
  appendFileSync(log, 'begun\n');
  try {
    for (;;) {
      throwIfEnding();
      if (how === 'waiting') await sleep(1);
    }
  } finally {
    appendFileSync(log, 'tidied up\n');
  }
}

function hang(): never {
  appendFileSync(log, 'hangs\n');
  for (;;);
}

/** In pieces: of a single large one Node ends all of the program. */
function fillMemory(): never {
  const kept: string[][] = [];
  for (;;) kept.push(Array.from({ length: 1_000 }, (_, index) => `${kept.length} ${index}`));
}
