/**
 * A thread that looks at images, to find those that look alike, and compares what it has seen. As the one that makes small
 * pictures, it may die of an image: then some images are not compared, and the run goes on.
 */
import { type NearPair, nearGroups, nearPairs } from '../dataset/near-duplicates.ts';
import type { Hashes } from '../dataset/near-index.ts';
import { createPerceptualHash, HASH_WORDS } from '../image/perceptual-hash.ts';
import { freeMemory } from '../parallel/free-memory.ts';
import { answerRequests, throwIfEnding } from '../parallel/thread-program.ts';
import { type FileBatch, filesOf } from './file-batch.ts';

export type LookRequest =
  | { readonly files: FileBatch }
  /** Looks for test images (1) that look like training images. */
  | { readonly pairs: { readonly hashes: Hashes; readonly isTest: Uint8Array } }
  /** Looks for all that look alike, except for two known images (1). */
  | { readonly groups: { readonly hashes: Hashes; readonly isKnown: Uint8Array } };

export type LookReply =
  | { readonly hashes: Hashes }
  | { readonly pairs: readonly NearPair[] }
  | { readonly groups: Uint32Array };

const hashOf = createPerceptualHash();

answerRequests<LookRequest, LookReply>((request) => {
  if ('files' in request) return { hashes: look(request.files) };
  if ('pairs' in request) return { pairs: nearPairs(request.pairs.hashes, request.pairs.isTest) };
  return { groups: nearGroups(request.groups.hashes, request.groups.isKnown) };
});

function look(batch: FileBatch): Hashes {
  const hashes = new Uint32Array(batch.ends.length * HASH_WORDS);
  let place = 0;
  for (const file of filesOf(batch)) {
    throwIfEnding();
    const hash = file.length === 0 ? undefined : hashOf(file);
    if (hash) hashes.set(hash, place * HASH_WORDS);
    place++;
  }
  freeMemory(batch.data.buffer);
  return hashes;
}
