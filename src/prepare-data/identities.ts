import type { ZipEntry } from '../archive/open-zip.ts';
import { unlessCancelled } from '../errors.ts';
import type { ZipPart } from './fill-thread.ts';
import type { FillThreads } from './fill-threads.ts';

/**
 * Finds out which images are identical, zip after zip in list order, without reading more than is needed.
 *
 * Only images that agree in CRC-32 and size can be identical, as the directories of all zips tell beforehand. But many
 * that differ agree in both: the CRC-32 of a PNG follows from its length when its pixels are one IDAT chunk, since every
 * chunk ends in a CRC-32 of its own. So the beginnings of such images are compared next, and only where these agree,
 * all of their bytes, by SHA-256.
 */
export interface Identities {
  /**
   * @returns for each image of the next zip that may have an identical one in the list, a number: the same for
   *   identical images, and another for others
   * @throws DiatomError `ZIP`, `DISK`
   */
  identify(zip: ZipPart['zip'], images: readonly ZipEntry[]): Promise<Map<ZipEntry, number>>;
  /** Tells the SHA-256 of an image that has a number, once it was read as a whole. */
  learn(content: number, sha256: string): void;
}

export interface IdentityOptions {
  /** Whether another image of the list agrees with this one in CRC-32 and size. */
  readonly isAlike: (image: ZipEntry) => boolean;
  readonly threads: FillThreads;
  /** Whether every image with a number will be read as a whole, and `learn` called; else such images are read here. */
  readonly willLearn: boolean;
  /** Aborted when what was to be learnt will not be. */
  readonly signal: AbortSignal;
}

export function createIdentities({ isAlike, threads, willLearn, signal }: IdentityOptions): Identities {
  /** The contents whose images begin and end alike: by a number made of the beginning and the length. */
  const byPrint = new Map<number, number | number[]>();
  let hashes = Buffer.alloc(0);
  let isKnown = new Uint8Array(0);
  let count = 0;
  let waiting: { readonly content: number; readonly resolve: () => void }[] = [];

  const hashAt = (content: number) => hashes.subarray(content * HASH_BYTES, (content + 1) * HASH_BYTES);

  function contentsOf(print: number): readonly number[] {
    const found = byPrint.get(print);
    return found === undefined ? [] : typeof found === 'number' ? [found] : found;
  }

  function addContent(print: number): number {
    const content = count++;
    const others = contentsOf(print);
    byPrint.set(print, others.length === 0 ? content : [...others, content]);
    if (content >= isKnown.length) {
      const room = Math.max(1_024, 2 * isKnown.length);
      hashes = Buffer.concat([hashes], room * HASH_BYTES);
      const more = new Uint8Array(room);
      more.set(isKnown);
      isKnown = more;
    }
    return content;
  }

  function learn(content: number, sha256: string): void {
    hashAt(content).write(sha256, 'hex');
    isKnown[content] = 1;
    const ready = waiting.filter((one) => one.content === content);
    if (ready.length === 0) return;
    waiting = waiting.filter((one) => one.content !== content);
    for (const { resolve } of ready) resolve();
  }

  async function known(content: number): Promise<void> {
    if (isKnown[content]) return;
    await unlessCancelled(new Promise<void>((resolve) => waiting.push({ content, resolve })), signal);
  }

  return {
    learn,
    async identify(zip, images) {
      const alike = images.filter(isAlike);
      const beginnings = await threads.beginnings(zip, alike);
      const prints = new Map(alike.map((image, index) => [image, printOf(image, beginnings[index] ?? 0)]));
      const times = new Map<number, number>();
      for (const print of prints.values()) times.set(print, (times.get(print) ?? 0) + 1);
      const toHash = willLearn
        ? alike.filter((image) => {
            const print = prints.get(image) ?? 0;
            return byPrint.has(print) || (times.get(print) ?? 0) > 1;
          })
        : alike;
      const found = await threads.hashes(zip, toHash);
      const sums = new Map(toHash.map((image, index) => [image, found[index] ?? '']));

      const contents = new Map<ZipEntry, number>();
      for (const [image, print] of prints) {
        const sum = sums.get(image);
        let same: number | undefined;
        for (const content of sum === undefined ? [] : contentsOf(print)) {
          await known(content);
          if (hashAt(content).toString('hex') === sum) same = content;
        }
        const content = same ?? addContent(print);
        if (sum !== undefined) learn(content, sum);
        contents.set(image, content);
      }
      return contents;
    },
  };
}

const HASH_BYTES = 32;

/** Exact in a number: 32 bits of the beginning, 21 of the length. That two others meet there costs a look, no more. */
function printOf({ bytes }: ZipEntry, beginning: number): number {
  return beginning * 2 ** 21 + (bytes % 2 ** 21);
}
