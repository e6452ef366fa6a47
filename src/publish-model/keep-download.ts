import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipArchive } from 'archiver';
import { DiatomError } from '../errors.ts';
import { digestFile } from '../files/digest-file.ts';
import { formatBytes } from '../format.ts';
import { downloadName, PRODUCTION, SUMS_FILE } from '../model/model-folder.ts';
import { parseSums } from '../model/sums.ts';
import { removeLeftover } from '../owncloud/confirmed-writes.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText, saveRemote } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { uploadFile } from '../owncloud/upload.ts';
import { mapParallel } from '../parallel/map-parallel.ts';
import { info } from '../runner/log.ts';
import { asWarning } from './as-warning.ts';
import { type ModelFile, textFile } from './local-model.ts';
import type { LockedFolder } from './locked-folder.ts';
import type { Outcome } from './outcome.ts';

/** How many files are fetched at a time. */
const CONCURRENCY = 4;

type DownloadFile = Pick<ModelFile, 'name' | 'content'>;
type Local = readonly DownloadFile[] | undefined;

/**
 * Keeps one zip of what is in production beside it, for people who want the model and have a browser only, and deletes
 * those of the versions before. Whatever goes wrong here is a warning: the next run makes it.
 *
 * @param outcome its version is in production, whose files are read from there where they are not on this machine
 * @returns its address; `undefined` when it is not there
 */
export async function keepDownload(
  { modelName, version, files }: Pick<Outcome, 'modelName' | 'version' | 'files'>,
  place: LockedFolder,
): Promise<string | undefined> {
  const { remote, folder, content } = place;
  const name = downloadName(modelName, version);
  let url: string | undefined;
  await asWarning(place, `The download “${folder}/${name}” was not brought up to date`, async (options) => {
    const names = ((await listFolder(remote, folder, options)) ?? []).map((entry) => entry.name);
    if (!names.includes(name)) await makeDownload(remote, { folder, name, local: files }, options);
    url = remote.fileUrl(remotePath(folder, name));
    const older = content.versions.map((other) => downloadName(modelName, other));
    for (const other of names.filter((found) => found !== name && older.includes(found))) {
      if (await removeLeftover(remote, remotePath(folder, other))) continue;
      options.onWarning?.(`The download of an older version, “${folder}/${other}”, could not be deleted.`);
    }
  });
  return url;
}

async function makeDownload(
  remote: Remote,
  { folder, name, local }: { readonly folder: string; readonly name: string; readonly local: Local },
  options: RemoteOptions,
): Promise<void> {
  const own = await mkdtemp(join(process.env['RUNNER_TEMP'] || tmpdir(), 'download-'));
  try {
    const files = local ?? (await fetchProduction(remote, `${folder}/${PRODUCTION}`, own, options));
    const localPath = join(own, name);
    await writeZip(files, name.slice(0, -'.zip'.length), localPath, options.signal);
    const { bytes, sha1 } = await digestFile(localPath, options.signal);
    await uploadFile(remote, { localPath, folder, name, bytes, sha1 }, options);
    info(`${name}: ${formatBytes(bytes)}`);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** @throws DiatomError `OWNCLOUD` when a file is not what SHA256SUMS says; as `readText` and `saveRemote` */
async function fetchProduction(
  remote: Remote,
  production: string,
  own: string,
  options: RemoteOptions,
): Promise<DownloadFile[]> {
  const list = remotePath(production, SUMS_FILE);
  const text = (await readText(remote, list, options)) ?? '';
  const files = await mapParallel([...parseSums(text, list).entries()], CONCURRENCY, async ([index, sum]) => {
    const path = join(own, String(index));
    const sha256 = await saveRemote(remote, remotePath(production, sum.name), path, options);
    if (sha256 === sum.sha256) return { name: sum.name, content: { path } };
    throw new DiatomError('OWNCLOUD', `“${production}/${sum.name}” is not what ${SUMS_FILE} beside it says.`);
  });
  return [...files, textFile(SUMS_FILE, text)];
}

async function writeZip(
  files: readonly DownloadFile[],
  root: string,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const archive = new ZipArchive();
  // A file that can’t be read is left out with a warning only.
  archive.on('warning', (error) => archive.destroy(error));
  for (const { name, content } of files) {
    const entry = { name: `${root}/${name}` };
    if ('text' in content) archive.append(content.text, entry);
    else archive.file(content.path, entry);
  }
  await Promise.all([pipeline(archive, createWriteStream(target), signal ? { signal } : {}), archive.finalize()]);
}
