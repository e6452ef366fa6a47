import type { ZipEntry } from '../archive/open-zip.ts';
import type { NearPair } from '../dataset/near-duplicates.ts';
import type { Hashes } from '../dataset/near-index.ts';
import type { PlannedImage } from '../dataset/plan-types.ts';
import { HASH_WORDS } from '../image/perceptual-hash.ts';
import type { FileBatch } from './file-batch.ts';
import type { Looks } from './looks.ts';

/** What looks alike across train and test. Images are named by their places in the order of the archive. */
export interface FoundNear {
  readonly pairs: readonly NearPair[];
  /** How many images could not be compared. */
  readonly unseen: number;
}

/** Finds test images that look like training images, in the images that have come to their places. */
export interface NearFinder {
  /**
   * Waits while many wait already.
   *
   * @param files those images, unless their hashes are known
   */
  add(files: FileBatch | undefined, placed: readonly Pick<PlannedImage<ZipEntry>, 'image' | 'split'>[]): Promise<void>;
  finish(): Promise<FoundNear>;
}

/** @param known hashes of images that were looked at to plan where they go */
export function createNearFinder(looks: Looks, known?: ReadonlyMap<ZipEntry, Hashes>): NearFinder {
  const parts: { readonly hashes: Promise<Hashes> | Hashes; readonly isTest: Uint8Array }[] = [];

  function hashesOf(files: FileBatch | undefined, images: readonly ZipEntry[]): Promise<Hashes> | Hashes {
    if (files) return looks.look(files);
    const hashes = new Uint32Array(images.length * HASH_WORDS);
    for (const [place, image] of images.entries()) hashes.set(known?.get(image) ?? [], place * HASH_WORDS);
    return hashes;
  }

  return {
    async add(files, placed) {
      if (placed.length === 0) return;
      const isTest = Uint8Array.from(placed, ({ split }) => (split === 'test' ? 1 : 0));
      parts.push({
        hashes: hashesOf(
          files,
          placed.map(({ image }) => image),
        ),
        isTest,
      });
      await looks.room();
    },
    async finish() {
      const count = parts.reduce((sum, { isTest }) => sum + isTest.length, 0);
      const [hashes, isTest] = [new Uint32Array(count * HASH_WORDS), new Uint8Array(count)];
      let place = 0;
      for (const part of parts) {
        hashes.set(await part.hashes, place * HASH_WORDS);
        isTest.set(part.isTest, place);
        place += part.isTest.length;
      }
      let unseen = 0;
      for (let shape = HASH_WORDS - 1; shape < hashes.length; shape += HASH_WORDS) if (hashes[shape] === 0) unseen++;
      return { pairs: await looks.pairs(hashes, isTest), unseen };
    },
  };
}
