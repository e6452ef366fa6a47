import { join, relative, sep } from 'node:path';
import { whyUnsafeName } from '../dataset/safe-name.ts';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { digestFile } from '../files/digest-file.ts';
import { putVerified, removeTemporary, textContent } from '../owncloud/confirmed-writes.ts';
import { ensureFolder } from '../owncloud/ensure-folder.ts';
import { type LeftoverSearch, removeLeftovers } from '../owncloud/leftovers.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText, saveRemote } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { removeFolder } from '../owncloud/remove-folder.ts';
import { uploadFile } from '../owncloud/upload.ts';
import { CLASSES_FILE, METRICS_FILE, SUMS_FILE, WEIGHTS_FILE } from './model-folder.ts';
import { formatSums, parseSums, type Sum } from './sums.ts';

/** Below the folder of the data sets: results of trainings that no workflow artifact holds. */
export const UNPUBLISHED = 'unpublished';

/** Stored first, so that an upload that breaks off leaves what matters most. */
const FIRST: readonly string[] = [WEIGHTS_FILE, CLASSES_FILE, METRICS_FILE];

/** In more folders, half files are not looked for: each costs a request. */
const MOST_SEARCHED = 50;

export interface LocalResult {
  /** The folder of the result. */
  readonly root: string;
  /** Absolute paths below `root`. */
  readonly files: readonly string[];
  /** The folder on the server that it should get; one that is taken gets a number. */
  readonly folder: string;
}

/**
 * Puts the result of a training on the server, whole. Every file is verified. `SHA256SUMS` comes last and says that all
 * others are there: a folder without it is what a run left that was killed.
 *
 * @returns the folder
 * @throws DiatomError `OWNCLOUD`, `NETWORK`, `DISK`, `CANCELLED`: what has come so far stays, as it may be all that is left
 */
export async function saveUnpublished(
  remote: Remote,
  { root, files, folder: wanted }: LocalResult,
  options: RemoteOptions,
): Promise<string> {
  const folder = await freeFolder(remote, wanted, options);
  const names = files.map((path) => relative(root, path).split(sep).join('/')).filter((name) => name !== SUMS_FILE);
  const unfit = names.filter(cannotBeStored);
  for (const name of unfit) {
    options.onWarning?.(`The file ${JSON.stringify(name)} of the result was not stored: it can’t have its name there.`);
  }
  const sums: Sum[] = [];
  for (const name of byImportance(names.filter((one) => !unfit.includes(one)))) {
    const digest = await digestFile(join(root, name), options.signal);
    const [file = '', ...above] = name.split('/').reverse();
    const place = [folder, ...above.reverse()].join('/');
    const request = { localPath: join(root, name), folder: place, name: file, ...digest };
    await uploadFile(remote, request, options);
    sums.push({ name, sha256: digest.sha256 });
  }
  await ensureFolder(remote, folder, options);
  await putVerified(remote, remotePath(folder, SUMS_FILE), textContent(formatSums(sums)), options);
  return folder;
}

/** What a complete result holds; `undefined` when the folder is not there, or not complete. */
export async function readUnpublished(
  remote: Remote,
  folder: string,
  options: RemoteOptions,
): Promise<Sum[] | undefined> {
  const text = await readText(remote, remotePath(folder, SUMS_FILE), options);
  return text === undefined ? undefined : parseSums(text, `${folder}/${SUMS_FILE}`);
}

/** The folders of results below the folder of the data sets, complete or not, the newest last as far as names tell. */
export async function listUnpublished(remote: Remote, parent: string, options: RemoteOptions): Promise<string[]> {
  const above = [parent, UNPUBLISHED].filter((part) => part !== '').join('/');
  const entries = (await listFolder(remote, above, options)) ?? [];
  const names = entries.filter(({ type }) => type === 'directory').map(({ name }) => name);
  return names.sort(new Intl.Collator('en', { numeric: true }).compare).map((name) => `${above}/${name}`);
}

/**
 * Brings the files of a complete result to an empty folder of this machine, verified. What lies in folders of its own is
 * left: a version has none.
 *
 * @throws DiatomError `INPUT` when it is not there or not complete, `OWNCLOUD` when a file is not what was stored
 */
export async function fetchUnpublished(
  remote: Remote,
  folder: string,
  target: string,
  options: RemoteOptions,
): Promise<void> {
  const sums = await readUnpublished(remote, folder, options);
  if (!sums) {
    throw new DiatomError(
      'INPUT',
      `Input unpublished: the folder “${folder}” at ${remote.rootUrl.host} holds no complete result: it is not there (any more), or the run that stored it was ended before it had written ${SUMS_FILE}. What such a folder holds can be published by hand, when you know it to be whole.`,
    );
  }
  for (const { name, sha256 } of sums) {
    if (name.includes('/')) {
      options.onWarning?.(`The file ${name} of the result is not published: it lies in a folder of its own.`);
      continue;
    }
    if (cannotBeStored(name)) throw new DiatomError('OWNCLOUD', `“${folder}” lists a file of the name “${name}”.`);
    const found = await saveRemote(remote, remotePath(folder, name), join(target, name), options);
    if (found === sha256) continue;
    throw new DiatomError(
      'OWNCLOUD',
      `The file “${folder}/${name}” at ${remote.rootUrl.host} is not what training stored there (SHA-256 ${found}, expected ${sha256}): it is damaged, or was replaced by hand. Nothing was published.`,
    );
  }
}

/**
 * Deletes files that killed runs of a repository had half sent, a day after. What they had sent whole stays.
 *
 * @returns names of what was deleted
 */
export async function removeHalfFiles(
  remote: Remote,
  { parent, ...search }: { readonly parent: string } & Omit<LeftoverSearch, 'folders'>,
  options: RemoteOptions,
): Promise<string[]> {
  const quiet = { ...options, onWarning: undefined };
  const folders: string[] = [];
  try {
    for (const folder of (await listUnpublished(remote, parent, quiet)).slice(-MOST_SEARCHED)) {
      const entries = (await listFolder(remote, folder, quiet)) ?? [];
      if (entries.some(({ name }) => name === SUMS_FILE)) continue;
      const inner = entries.filter(({ type }) => type === 'directory').map(({ name }) => `${folder}/${name}`);
      folders.push(folder, ...inner);
    }
  } catch (error) {
    // The next run looks again.
    throwIfCancelled(options.signal);
    if (!(error instanceof DiatomError)) throw error;
  }
  return removeLeftovers(remote, { ...search, folders }, quiet);
}

/** Deletes a result. Its mark goes first, so that half of one is never taken for a whole one. */
export async function removeUnpublished(remote: Remote, folder: string, options: RemoteOptions): Promise<void> {
  await removeTemporary(remote, remotePath(folder, SUMS_FILE), options);
  await removeFolder(remote, folder, options);
}

/** Whatever has the name may be the result of another attempt: nothing is ever added to it. */
async function freeFolder(remote: Remote, wanted: string, options: RemoteOptions): Promise<string> {
  const parts = wanted.split('/');
  const name = parts.pop() ?? '';
  const taken = (await listFolder(remote, parts.join('/'), options))?.map((entry) => entry.name) ?? [];
  const free = (number: number): string => {
    const candidate = number === 1 ? name : `${name}-${number}`;
    return taken.includes(candidate) ? free(number + 1) : candidate;
  };
  return [...parts, free(1)].join('/');
}

function byImportance(names: readonly string[]): string[] {
  return [...FIRST.filter((name) => names.includes(name)), ...names.filter((name) => !FIRST.includes(name)).sort()];
}

/** Names that a server, or the machine that publishes, may refuse. */
function cannotBeStored(name: string): boolean {
  return name.split('/').some((part) => whyUnsafeName(part) !== undefined || /\.(?:file)?part$/i.test(part));
}
