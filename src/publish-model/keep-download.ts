import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipArchive } from 'archiver';
import { DEFLATE_OPTIONS } from '../archive/deflate.ts';
import { DiatomError, unlessCancelled } from '../errors.ts';
import { digestFile, digestText } from '../files/digest-file.ts';
import { formatBytes } from '../format.ts';
import { downloadName, PRODUCTION, SUMS_FILE } from '../model/model-folder.ts';
import { parseSums } from '../model/sums.ts';
import { removeLeftover } from '../owncloud/confirmed-writes.ts';
import type { RemoteEntry } from '../owncloud/list-folder.ts';
import { type RemoteOptions, SIDE_BY_SIDE } from '../owncloud/options.ts';
import { openFound, readText, saveRemote } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { uploadNewFile } from '../owncloud/upload.ts';
import { allEnded, mapAllEnded } from '../parallel/all-ended.ts';
import { info } from '../runner/log.ts';
import { asWarning } from './as-warning.ts';
import { type ModelFile, textFile } from './local-model.ts';
import type { LockedFolder } from './locked-folder.ts';
import type { Outcome } from './outcome.ts';

/** How many files are fetched at a time. */
const CONCURRENCY = 4;

/** A model takes longer than a page: times what may be spent on that. */
const PATIENCE = 4;

type DownloadFile = Pick<ModelFile, 'name' | 'content'>;

/**
 * Keeps one zip of what is in production beside it, for people who want the model and have a browser only, and deletes
 * those that were made of production before. Whatever goes wrong here is a warning: the next run makes it.
 *
 * @param confirmed waited for before anything gets its name or is deleted; its failure ends what is under way
 * @returns its address; `undefined` when it is not there
 */
export async function keepDownload(
  { modelName, version, promoted, production, files }: Outcome,
  place: LockedFolder,
  confirmed: Promise<void>,
): Promise<string | undefined> {
  const current = promoted ? version : production?.version;
  if (current === undefined) return undefined;
  const { remote, folder, content } = place;
  const name = downloadName(modelName, current);
  const failed = `The download “${folder}/${name}” was not brought up to date`;
  let url: string | undefined;
  await asWarning(
    place,
    failed,
    async (given) => {
      const options = untilRefused(confirmed, given);
      // Checks the signal, too: what outlives its time must not name or delete anything of a run that is over.
      const allowed = () => unlessCancelled(confirmed, options.signal);
      const zips = content.files.filter((file) => file.name.startsWith(`${modelName}-`) && file.name.endsWith('.zip'));
      const own = zips.find((zip) => zip.name === name);
      const olds = zips.filter((zip) => zip !== own);
      const local = promoted ? files : undefined;
      const renew = async () => {
        const sums = sumsIn(local) ?? (await readProductionSums(place, options));
        const known = own ? await productionOf(remote, folder, own, options) : 'missing';
        if (known !== digestText(sums).sha256) {
          if (known !== 'missing') {
            await allowed();
            await removeDownload(remote, folder, name, options);
          }
          await makeDownload(remote, { folder, name, sums, files: local, allowed }, options);
        }
        url = remote.fileUrl(remotePath(folder, name));
      };
      const [, kinds] = await allEnded([
        allowed(),
        mapAllEnded(olds, SIDE_BY_SIDE, (zip) => productionOf(remote, folder, zip, options)),
        renew(),
      ]);
      await allowed();
      const ours = olds.filter((_, index) => kinds[index] !== undefined);
      await mapAllEnded(ours, SIDE_BY_SIDE, (zip) => removeDownload(remote, folder, zip.name, options));
    },
    PATIENCE,
  );
  return url;
}

/** The same options, whose signal ends all when `work` fails. */
function untilRefused(work: Promise<void>, options: RemoteOptions): RemoteOptions {
  const refused = new AbortController();
  work.catch((error: unknown) => refused.abort(error));
  return { ...options, signal: AbortSignal.any([refused.signal, ...(options.signal ? [options.signal] : [])]) };
}

/** The list of sums among a version's files on this machine. */
function sumsIn(files: readonly ModelFile[] = []): string | undefined {
  const content = files.find(({ name }) => name === SUMS_FILE)?.content;
  return content && 'text' in content ? content.text : undefined;
}

async function readProductionSums({ remote, folder }: LockedFolder, options: RemoteOptions): Promise<string> {
  return (await readText(remote, remotePath(`${folder}/${PRODUCTION}`, SUMS_FILE), options)) ?? '';
}

/** A zip's comment: by it, one of ours is known by its name, and of which production it is by that one's sums. */
function commentOf(name: string, sums: string): string {
  return `diatom-actions ${encodeURIComponent(name)} ${sums}`;
}

/** @returns the sum of the list of sums of that production which a zip is of; `undefined` for a zip that is not ours */
async function productionOf(
  remote: Remote,
  folder: string,
  zip: RemoteEntry,
  options: RemoteOptions,
): Promise<string | undefined> {
  const { name } = zip;
  const file = openFound(remote, remotePath(folder, name), zip, options);
  const start = Buffer.from(commentOf(name, ''));
  const bytes = start.length + SHA256_DIGITS;
  if (!file || file.length < bytes) return undefined;
  const end = await file.read(file.length - bytes, bytes);
  return end.subarray(0, start.length).equals(start) ? end.toString('latin1', start.length) : undefined;
}

const SHA256_DIGITS = 64;

async function removeDownload(remote: Remote, folder: string, name: string, options: RemoteOptions): Promise<void> {
  if (await removeLeftover(remote, remotePath(folder, name))) return;
  options.onWarning?.(`The download of what was in production before, “${folder}/${name}”, could not be deleted.`);
}

interface Download {
  /** The model's folder. */
  readonly folder: string;
  readonly name: string;
  /** Production's SHA256SUMS. */
  readonly sums: string;
  /** What production holds, where that lies on this machine. */
  readonly files: readonly DownloadFile[] | undefined;
  /** Waited for before the zip gets its name. */
  readonly allowed: () => Promise<void>;
}

async function makeDownload(
  remote: Remote,
  { folder, name, sums, files, allowed }: Download,
  options: RemoteOptions,
): Promise<void> {
  const own = await mkdtemp(join(process.env['RUNNER_TEMP'] || tmpdir(), 'download-'));
  try {
    const content = files ?? (await fetchProduction(remote, `${folder}/${PRODUCTION}`, sums, own, options));
    const localPath = join(own, name);
    const comment = commentOf(name, digestText(sums).sha256);
    await writeZip(content, { root: name.slice(0, -'.zip'.length), target: localPath, comment }, options.signal);
    const { bytes, uploadSum } = await digestFile(localPath, options.signal);
    const naming = { ...options, beforeNamed: allowed };
    await uploadNewFile(remote, { localPath, folder, name, bytes, uploadSum }, naming);
    info(`${name}: ${formatBytes(bytes)}`);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** @throws DiatomError `OWNCLOUD` when a file is not what SHA256SUMS says; as `saveRemote` */
async function fetchProduction(
  remote: Remote,
  production: string,
  sums: string,
  own: string,
  options: RemoteOptions,
): Promise<DownloadFile[]> {
  const list = parseSums(sums, `${production}/${SUMS_FILE}`);
  const files = await mapAllEnded([...list.entries()], CONCURRENCY, async ([index, sum]) => {
    const path = join(own, String(index));
    const sha256 = await saveRemote(remote, remotePath(production, sum.name), path, options);
    if (sha256 === sum.sha256) return { name: sum.name, content: { path } };
    throw new DiatomError('OWNCLOUD', `“${production}/${sum.name}” is not what ${SUMS_FILE} beside it says.`);
  });
  return [...files, textFile(SUMS_FILE, sums)];
}

async function writeZip(
  files: readonly DownloadFile[],
  { root, target, comment }: { readonly root: string; readonly target: string; readonly comment: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  const archive = new ZipArchive({ comment, zlib: { ...DEFLATE_OPTIONS } });
  // A file that can’t be read is left out with a warning only.
  archive.on('warning', (error) => archive.destroy(error));
  for (const { name, content } of files) {
    const entry = { name: `${root}/${name}` };
    if ('text' in content) archive.append(content.text, entry);
    else archive.file(content.path, entry);
  }
  await Promise.all([pipeline(archive, createWriteStream(target), signal ? { signal } : {}), archive.finalize()]);
}
