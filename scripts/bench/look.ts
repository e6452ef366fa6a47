import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openZip } from '../../src/archive/open-zip.ts';
import { extensionOf } from '../../src/dataset/select-images.ts';
import { bytesInMemory } from '../../src/image/image-bytes.ts';
import { imageFault } from '../../src/image/image-fault.ts';

/**
 * Looks at the structure of every image of some zips, as the action does, and does nothing else with them.
 *
 * @returns seconds of a processor
 * @throws Error when an image is broken: one that ends early would take less time
 */
export async function secondsOfLooking(zips: string): Promise<number> {
  let microseconds = 0;
  for (const name of (await readdir(zips)).filter((file) => file.endsWith('.zip'))) {
    const zip = await openZip(join(zips, name), { name });
    try {
      for (const entry of zip.entries) {
        const data = await zip.read(entry);
        const before = process.cpuUsage();
        const fault = imageFault(bytesInMemory(data), extensionOf(entry.path));
        const { user, system } = process.cpuUsage(before);
        microseconds += user + system;
        if (fault !== undefined) throw new Error(`${name}: ${entry.path} ${fault}`);
      }
    } finally {
      await zip.close();
    }
  }
  return microseconds / 1e6;
}
