import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../src/files/whole-file.ts';
import { createSample } from './sample/sample-zips.ts';
import { startFileServer } from './stand-ins/file-server.ts';

/**
 * Draws the sample’s images, packs them into zips, and serves these until it is ended. The file list appears in the folder
 * last of all, and whole, so that its presence means that the zips can be fetched.
 */
const [folder, ...others] = process.argv.slice(2);
if (folder === undefined || others.length > 0) throw new Error('Usage: npm run sample -- FOLDER');
const zips = join(folder, 'zips');
await mkdir(zips, { recursive: true });
const sample = await createSample(zips);
const files = await startFileServer(zips);
await writeWhole(join(folder, 'file-list.json'), JSON.stringify(sample.fileList(files.url)));
