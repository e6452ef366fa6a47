import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openPromise } from 'yauzl';
import { createSample } from './sample/sample-zips.ts';

/**
 * Makes a folder of test data for the integration tests where the project's real images are not available: the zips of the
 * sample, their file list, and how many images must come out of them with 10 test images a zip.
 */
const [folder, ...more] = parseArgs({ allowPositionals: true }).positionals;
if (folder === undefined || more.length > 0) throw new Error('Usage: node scripts/test-data.ts FOLDER');
const directory = resolve(folder);
const { zips, fileList } = await createSample(directory);

let images = 0;
for (const zip of zips) {
  for await (const { fileName } of (await openPromise(zip)).eachEntry()) {
    if (fileName.endsWith('.png') && !fileName.startsWith('__MACOSX/')) images += 1;
  }
}
const test = 10 * zips.length;
await writeFile(join(directory, 'file-list.json'), JSON.stringify(fileList('http://127.0.0.1/'), undefined, 2));
await writeFile(join(directory, 'expected.json'), JSON.stringify({ images, train: images - test, test }));
