import type { ZipEntry } from '../archive/open-zip.ts';
import type { FillPool } from './fill-pool.ts';
import type { ZipPart } from './thread-jobs.ts';

/**
 * Finds out which images are identical, zip after zip in list order: only those that agree in CRC-32 and size with another
 * of the list can be, as the directories of all zips tell beforehand, and only these are read for it.
 */
export interface Identities {
  /**
   * @returns for each image of the next zip that may have an identical one in the list, a number: the same for
   *   identical images, and another for others
   * @throws DiatomError `ZIP`, `DISK`
   */
  identify(zip: ZipPart['zip'], images: readonly ZipEntry[]): Promise<Map<ZipEntry, number>>;
}

/** @param isAlike whether another image of the list agrees with this one in CRC-32 and size */
export function createIdentities(isAlike: (image: ZipEntry) => boolean, threads: FillPool): Identities {
  const contents = new Map<string, number>();
  return {
    async identify(zip, images) {
      const alike = images.filter(isAlike);
      const hashes = await threads.hashes(zip, alike);
      const found = new Map<ZipEntry, number>();
      for (const [index, image] of alike.entries()) {
        const hash = hashes[index] ?? '';
        const content = contents.get(hash) ?? contents.size;
        contents.set(hash, content);
        found.set(image, content);
      }
      return found;
    },
  };
}
