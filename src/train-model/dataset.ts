import { mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as z from 'zod/mini';
import { toSafeName } from '../dataset/safe-name.ts';
import { cacheKeyOf, type DownloadCache } from '../download/cache.ts';
import { downloadFile } from '../download/download-file.ts';
import { downloadPaths, hashOfFile } from '../download/part-file.ts';
import { openForRangeReads } from '../download/range-reads.ts';
import { DiatomError, messageOf, systemCodeOf } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import { createWrittenLength } from '../files/written-length.ts';
import { formatBytes, formatDuration } from '../format.ts';
import type { HttpClient } from '../http/client.ts';
import type { OwncloudSettings } from '../owncloud/connect.ts';
import { lookUp } from '../owncloud/look-up.ts';
import { retrying } from '../owncloud/options.ts';
import type { Remote } from '../owncloud/remote.ts';
import { decodedPath } from '../owncloud/remote-path.ts';
import { createDownloadCache } from '../runner/download-cache.ts';
import { invalidInput } from '../runner/inputs.ts';
import { info, mask, warn } from '../runner/log.ts';
import { createProgress, type Progress } from '../runner/progress.ts';
import { compareCodePoints } from '../text/code-points.ts';
import { jsonOf } from '../text/json.ts';
import type { Inputs } from './inputs.ts';
import { createUnpacker, type Unpacker } from './unpack.ts';

/** A data set on this machine. */
export interface Dataset {
  /** Holds `train` and `test`; absolute. */
  readonly folder: string;
  /** For people: the archive or folder, for an address only its host. */
  readonly name: string;
  /** Of the archive, lower-case hex; `undefined` for a folder. */
  readonly sha256: string | undefined;
  /** Of its split, when it says so. */
  readonly seed: string | undefined;
  /** SHA-256 of its manifest, which has no date: it tells whether two archives hold the same. */
  readonly identity: string | undefined;
  /** The classes in `train`, in code-point order. */
  readonly labels: readonly string[];
}

export interface FetchContext {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** A folder of this run, which the caller deletes. */
  readonly workDir: string;
  /** The server of `owncloud-url`, signed in to. */
  readonly remote: Remote | undefined;
}

/** Where a data set comes from. */
type Source = LocalSource | Download;

interface LocalSource {
  readonly kind: 'folder' | 'zip';
  readonly path: string;
  readonly name: string;
}

interface Download {
  readonly kind: 'download';
  readonly url: string;
  /** Names the address without giving anything of it away. */
  readonly key: string;
  readonly name: string;
}

type Wanted = Pick<Inputs, 'dataset' | 'datasetSha256' | 'workspace' | 'owncloud'>;

/**
 * Brings the data set to this machine: a folder stays where it is, an archive is downloaded when it is not here yet,
 * verified, and unpacked into the run's own folder.
 *
 * @throws DiatomError `INPUT`, `OWNCLOUD`, `DOWNLOAD`, `NETWORK`, `ZIP`, `DATA_SET`, `DISK`, `CANCELLED`
 */
export async function fetchDataset(inputs: Wanted, context: FetchContext): Promise<Dataset> {
  const source = await locate(inputs, context);
  if (source.kind === 'folder') {
    if (inputs.datasetSha256 !== undefined) {
      throw new DiatomError(
        'INPUT',
        `Input dataset-sha256 is set, but the data set ${source.path} is a folder, which has no sum: leave it out, or give the zip.`,
      );
    }
    return describe(await folderWithSplit(source.path), source.name, undefined);
  }
  const target = join(context.workDir, 'data');
  await mkdir(target, { recursive: true });
  const sha256 =
    source.kind === 'download'
      ? await downloadAndUnpack(source, target, inputs.datasetSha256, context)
      : await unpackLocal(source, target, inputs.datasetSha256, context);
  return describe(await folderWithSplit(target), source.name, sha256);
}

async function locate(inputs: Wanted, { remote, signal, env }: FetchContext): Promise<Source> {
  const { dataset, datasetSha256, workspace, owncloud } = inputs;
  const url = URL.parse(dataset);
  const isAddress = url !== null && /^https?:$/.test(url.protocol);
  if (isAddress && !(remote && url.href.startsWith(remote.rootUrl.href))) {
    return { kind: 'download', url: dataset, key: cacheKeyOf(dataset), name: `the download from ${url.host}` };
  }
  const local = isAddress ? undefined : await localSource(resolve(workspace, dataset));
  if (local) return local;
  if (!remote || !owncloud) {
    throw new DiatomError(
      'INPUT',
      `Input dataset is “${dataset}”: there is no such zip or folder in the workspace ${workspace}, and owncloud-url, where it could be, is not set.`,
    );
  }
  if (remote.kind === 'public-link') {
    throw new DiatomError(
      'INPUT',
      'Input owncloud-url is a public link: give the data set’s own link as dataset, or the server’s address and an account.',
    );
  }
  const below = isAddress ? decodedPath(url.pathname.slice(remote.rootUrl.pathname.length)) : dataset;
  const path = `/${below
    .split('/')
    .filter((part) => part !== '')
    .join('/')}`;
  // What is in the cache under its sum needs no server.
  if (datasetSha256 === undefined || !(await createDownloadCache(env)?.find(datasetSha256))) {
    const found = await retrying({ signal }, () => lookUp(remote.client, path, signal));
    if (found.type !== 'file') {
      throw invalidInput('dataset', dataset, `an archive; at ${remote.description} that is a folder`);
    }
  }
  const address = remote.fileUrl(path);
  return { kind: 'download', url: withLogin(address, owncloud), key: cacheKeyOf(address), name: basename(path) };
}

async function localSource(path: string): Promise<LocalSource | undefined> {
  try {
    const found = await stat(path);
    return { kind: found.isDirectory() ? 'folder' : 'zip', path, name: basename(path) };
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return undefined;
    throw diskFailure('read', path, error);
  }
}

/** Downloads send the login to the address's own origin only, and never name it. */
function withLogin(address: string, { username, password }: OwncloudSettings): string {
  const url = new URL(address);
  // The setters leave “%” as it is, which would then be read as part of an encoding.
  url.username = encodeURIComponent(username);
  url.password = encodeURIComponent(password);
  mask(url.password);
  return url.href;
}

async function unpackLocal(
  { path, name }: LocalSource,
  target: string,
  expected: string | undefined,
  { signal }: FetchContext,
): Promise<string> {
  const sha256 = (await hashOfFile(path, signal)).digest('hex');
  if (expected !== undefined && sha256 !== expected) {
    throw new DiatomError(
      'DATA_SET',
      `The archive ${path} has the SHA-256 ${sha256}, dataset-sha256 expects ${expected}: it is another one, or was changed or damaged.`,
    );
  }
  const unpacking = openUnpacker(name, target, signal);
  try {
    await unpacking.finish(path);
  } finally {
    await unpacking.close();
  }
  return sha256;
}

async function downloadAndUnpack(
  { url, key, name }: Download,
  target: string,
  expected: string | undefined,
  { http, signal, env, workDir }: FetchContext,
): Promise<string> {
  const cache = createDownloadCache(env);
  // What is known by its sum is the same wherever it comes from.
  const place = expected ?? key;
  // Beside the cache, an unfinished download waits for the next run; elsewhere nothing outlives this one.
  const toolCache = env['RUNNER_TOOL_CACHE'];
  const directory = cache && toolCache ? join(toolCache, 'diatom-unfinished', place) : join(workDir, 'download');
  await mkdir(directory, { recursive: true });
  const fileName = toSafeName(name);
  const progress = createProgress('Downloading the data set');
  const unpacking = openUnpacker(name, target, signal);
  const coming = createComing(downloadPaths(directory, fileName).part);
  let isFirst = true;
  try {
    const download = await downloadFile(
      { url, fileName, sha256: expected },
      {
        directory,
        http,
        signal,
        cache: cache && keptUnder(place, cache),
        onProgress: ({ doneBytes, totalBytes }) => {
          progress.update(doneBytes, totalBytes);
          coming.update(doneBytes);
          // The server has answered by now, and what comes is neither from the cache nor a page.
          if (isFirst && doneBytes < (totalBytes ?? 0)) {
            unpacking.begin({ ...coming, remote: openForRangeReads(url, { http, signal: coming.signal }) });
          }
          isFirst = false;
        },
        onRetry: ({ attempt, tries, waitMs, error }) =>
          info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}: ${messageOf(error)}`),
        onWarning: warn,
      },
    );
    progress.end();
    coming.end();
    const origin = download.fromCache ? 'from the cache of this runner' : 'downloaded';
    info(`${name}: ${formatBytes(download.bytes)}, ${origin}, SHA-256 ${download.sha256}`);
    await unpacking.finish(download.path);
    await rm(directory, { recursive: true, force: true });
    return download.sha256;
  } catch (error) {
    await rm(join(directory, fileName), { force: true });
    throw error;
  } finally {
    coming.end();
    progress.end();
    await unpacking.close();
    // Stays when a part is in it.
    await rmdir(directory).catch(() => {});
  }
}

function keptUnder(place: string, cache: DownloadCache): DownloadCache {
  return { find: () => cache.find(place), store: (_, file) => cache.store(place, file) };
}

/** How much of a download is here, for who works on it before it is whole. That ends when the download does, or begins again. */
function createComing(part: string) {
  const written = createWrittenLength();
  const over = new AbortController();
  const ended = new Promise<false>((resolve) => over.signal.addEventListener('abort', () => resolve(false)));
  return {
    part,
    signal: over.signal,
    end: () => over.abort(),
    update(bytes: number): void {
      if (bytes < written.level) over.abort();
      written.set(bytes);
    },
    reach: (bytes: number) => Promise.race([ended, written.reach(bytes).then(() => true)]),
  };
}

/** One that shows how far it is. */
function openUnpacker(name: string, target: string, signal: AbortSignal): Unpacker {
  let progress: Progress | undefined;
  const onProgress = (done: number, total: number) => progress?.update(done, total);
  const unpacker = createUnpacker(target, { name, signal, onProgress });
  return {
    ...unpacker,
    async finish(path) {
      progress = createProgress('Unpacking the data set');
      await unpacker.finish(path);
    },
    async close() {
      progress?.end();
      await unpacker.close();
    },
  };
}

/** The folder that holds `train` and `test`: the given one, or `results` in it as *prepare data* leaves it. */
async function folderWithSplit(folder: string): Promise<string> {
  for (const candidate of [folder, join(folder, 'results')]) {
    const counts = await Promise.all(['train', 'test'].map((side) => classesIn(join(candidate, side))));
    if (counts.every((labels) => labels.length > 0)) return candidate;
  }
  throw new DiatomError(
    'DATA_SET',
    `The folder ${folder} is no data set: expected the folders train and test with a folder for each class in them, or both in results.`,
  );
}

async function classesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort(compareCodePoints);
}

const descriptionSchema = z.object({ seed: z.string() });

/** A description is for people: one that can’t be read is no reason not to train. */
async function describe(folder: string, name: string, sha256: string | undefined): Promise<Dataset> {
  const text = await readFile(join(folder, 'dataset.json'), 'utf8').catch(() => 'null');
  const description = descriptionSchema.safeParse(jsonOf(text));
  const labels = await classesIn(join(folder, 'train'));
  const seed = description.success ? description.data.seed : undefined;
  return { folder, name, sha256, seed, identity: await identityOf(join(folder, 'manifest.csv')), labels };
}

async function identityOf(manifest: string): Promise<string | undefined> {
  const isThere = (await stat(manifest).catch(() => undefined))?.isFile() ?? false;
  return isThere ? (await hashOfFile(manifest, undefined)).digest('hex') : undefined;
}
