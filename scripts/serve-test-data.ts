import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, posix, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startFileServer } from './stand-ins/file-server.ts';
import { startOwncloudServer } from './stand-ins/owncloud-server.ts';

/**
 * Serves the zips of a folder of test data, and an embedded ownCloud to upload to, until it is ended. In WORKSPACE it writes
 * the file list with the addresses of the zips, last of all, so that its presence means that both can be used.
 */
const { positionals, values } = parseArgs({ allowPositionals: true, options: { 'owncloud-port': { type: 'string' } } });
const [data, workspace] = positionals;
const port = Number(values['owncloud-port']);
if (data === undefined || workspace === undefined || !port) {
  throw new Error('Usage: node scripts/serve-test-data.ts --owncloud-port PORT FOLDER WORKSPACE');
}
const entries: { file_url: string }[] = JSON.parse(await readFile(join(data, 'file-list.json'), 'utf8'));
const files = await startFileServer(resolve(data));
const directory = join(resolve(workspace), 'owncloud');
await mkdir(directory, { recursive: true });
await startOwncloudServer({ directory, port, username: 'diatom', password: 'demo' });
const served = entries.map((entry) => ({ ...entry, file_url: files.url + posix.basename(entry.file_url) }));
await writeFile(join(workspace, 'file-list.json'), JSON.stringify(served));
