import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { beginUploadSum } from '../files/upload-sum.ts';
import { NetworkError } from '../http/client.ts';
import { mapAllEnded } from '../parallel/all-ended.ts';
import { answeredSum, askForSum, checksumHeader } from './checksums.ts';
import type { Endpoint } from './endpoint.ts';
import { lookUp, lookUpIfThere, type RemoteFile } from './look-up.ts';
import { type RemoteOptions, retrying, SIDE_BY_SIDE, withSignal } from './options.ts';
import type { Remote } from './remote.ts';
import { judgeWebdav, statusOf } from './webdav-error.ts';

/** What is to be stored. `body` is called for each attempt. */
export interface Content {
  readonly bytes: number;
  /** Hexadecimal, lower case. */
  readonly uploadSum: string;
  body(): Readable;
}

/** A short text as what is to be stored. */
export function textContent(text: string): Content {
  const data = Buffer.from(text);
  return {
    bytes: data.length,
    uploadSum: beginUploadSum().update(data).digest('hex'),
    body: () => Readable.from([data], { objectMode: false }),
  };
}

/**
 * How far the server's copy was compared.
 *
 * - `checksum`  by a sum that the server made of what it got
 * - `size`      by its size: the server has no sums
 * - `no`        not at all: it can't be read back
 */
export type Verified = 'checksum' | 'size' | 'no';

/** How long a clean-up may take after a failure or a cancelled run: the runner kills a step 7.5 s after its signal. */
const CLEAN_UP_MS = 6_000;

/**
 * A name for the time of the upload. ownCloud and Nextcloud refuse names that end in `.part` or `.filepart`
 * (owncloud/core lib/public/Files/FileInfo.php, BLACKLIST_FILES_REGEX; Nextcloud's `forbidden_filename_extensions`).
 *
 * @param mark whose it is, where a later run is to find it
 */
export function temporaryPath(path: string, mark?: string): string {
  const random = randomBytes(4).toString('hex');
  const marked = `${path}.uploading-${mark}-${random}`;
  const isTooLong = Buffer.byteLength(marked) - Buffer.byteLength(path.slice(0, path.lastIndexOf('/') + 1)) > 255;
  return mark === undefined || isTooLong ? `${path}.uploading-${random}` : marked;
}

/**
 * Stores a file and compares what the server then has. When an attempt ends without a clear answer, the server is asked
 * first whether the file is there: it often is, and sending gigabytes again would be wasted. What differs is sent again
 * once.
 *
 * @throws DiatomError `OWNCLOUD` when the server refuses, or twice stores something else than was sent
 */
export async function putVerified(
  remote: Remote,
  path: string,
  content: Content,
  options: RemoteOptions,
): Promise<Verified> {
  const look = async () => {
    const found = await retrying(options, () => lookUpIfThere(remote.client, path, options.signal));
    return new Map(found && [[path, found]]);
  };
  return putAllVerified(remote, [{ path, content }], look, options);
}

/** What is to be stored, and where. */
export interface PlacedContent {
  readonly path: string;
  readonly content: Content;
}

/**
 * Stores several files side by side and compares all of them by one look. What is not there, or differs, is sent again once. A
 * failure waits for what is under way, so that nothing comes to the server afterwards.
 *
 * @param look what the server has, by path
 * @returns how far all of them were compared
 * @throws DiatomError `OWNCLOUD` when the server refuses one, or twice stores something else than was sent
 */
export async function putAllVerified(
  remote: Remote,
  files: readonly PlacedContent[],
  look: () => Promise<ReadonlyMap<string, RemoteFile>>,
  options: RemoteOptions,
): Promise<Verified> {
  let verified: Verified = 'checksum';
  let waiting = files;
  for (let isSecond = false; ; isSecond = true) {
    const sums = await sendAll(remote, waiting, options);
    const found = await look();
    const damaged: PlacedContent[] = [];
    for (const file of waiting) {
      const { path, content } = file;
      const there = found.get(path);
      const sum = sums.get(path);
      const differs = sum !== undefined && sum !== content.uploadSum ? 'its checksum differs' : undefined;
      const fault = there ? (faultOf(there, content, remote) ?? differs) : 'nothing is there';
      if (there && fault === undefined) {
        if (sum === undefined && verifiedBy(there, remote) !== 'checksum') verified = 'size';
        continue;
      }
      const message = `The server ${remote.rootUrl.host} said that it stored “${path}”, but ${fault}.`;
      if (isSecond) {
        throw new DiatomError(
          'OWNCLOUD',
          `${message} A full disk, a proxy or a sign-in page can be the cause: ask the server’s administrator.`,
        );
      }
      options.onWarning?.(`${message} It is sent again.`);
      damaged.push(file);
    }
    if (damaged.length === 0) return verified;
    waiting = damaged;
  }
}

/** @returns the sums that the server made of what it got, by path, where it tells them */
async function sendAll(
  remote: Remote,
  files: readonly PlacedContent[],
  options: RemoteOptions,
): Promise<ReadonlyMap<string, string>> {
  const sums = new Map<string, string>();
  await mapAllEnded(files, SIDE_BY_SIDE, async ({ path, content }) => {
    const sum = await putUntilAnswered(remote, path, content, options);
    if (sum !== undefined) sums.set(path, sum);
  });
  return sums;
}

/**
 * Sends a file without comparing, again when an attempt ends without a clear answer and the file is not there.
 *
 * @returns as `put`
 */
export function putUntilAnswered(
  remote: Remote,
  path: string,
  content: Content,
  options: RemoteOptions,
): Promise<string | undefined> {
  return retrying(options, async (number) => {
    if (number > 1 && (await isStored(remote, path, content, options))) return undefined;
    return put(remote, path, content, options);
  });
}

/** Sends a file once, without comparing. @returns the sum that Nextcloud made of what it got. */
export async function put(
  remote: Remote,
  path: string,
  { bytes, uploadSum, body }: Content,
  options: RemoteOptions,
): Promise<string | undefined> {
  const data = body();
  try {
    const answer = await remote.client.customRequest(path, {
      method: 'PUT',
      data,
      headers: {
        'content-type': 'application/octet-stream',
        // The library leaves it out for a stream; Infinite Scale then answers 400, and others store nothing.
        'content-length': String(bytes),
        ...checksumHeader(uploadSum),
        ...askForSum(remote.product),
      },
      ...withSignal(options),
    });
    return answeredSum(answer.headers);
  } finally {
    data.destroy();
  }
}

/**
 * Gives a stored file its name. Nothing is ever overwritten. A move may have worked although its answer got lost or a
 * proxy gave up (owncloud/core issue 31633): what counts is that the file is there and its temporary name is not.
 *
 * @throws DiatomError `OWNCLOUD` when the name is taken or the server refuses
 */
export async function moveIntoPlace(
  remote: Remote,
  { from, to, content }: { readonly from: string; readonly to: string; readonly content: Content },
  options: RemoteOptions,
): Promise<void> {
  const hasMoved = async () =>
    (await isStored(remote, to, content, options)) &&
    (await lookUpIfThere(remote.client, from, options.signal)) === undefined;
  const move = () => remote.client.moveFile(from, to, { overwrite: false, ...withSignal(options) });
  await moveUntilThere(remote, { to, move, hasMoved, patienceMs: 0 }, options);
}

/** A move whose answer is not believed. */
export interface Move {
  readonly to: string;
  move(): Promise<unknown>;
  /** Whether what was moved is at its new place. */
  hasMoved(): Promise<boolean>;
  /** How long the server may go on with a move after an answer that does not tell how it ended. */
  readonly patienceMs: number;
}

/** @throws DiatomError `OWNCLOUD` when the name is taken or the server refuses */
export async function moveUntilThere(
  remote: Endpoint,
  { to, move, hasMoved, patienceMs }: Move,
  options: RemoteOptions,
): Promise<void> {
  await retrying(options, async (number) => {
    if (number > 1 && (await hasMoved())) return;
    try {
      await move();
    } catch (error) {
      if (options.signal?.aborted) throw error;
      // A refusal that will not pass needs a look too: the first of two moves may have worked unheard.
      if (
        judgeWebdav(error).retry
          ? isUnclear(error) && (await comesTrue(hasMoved, patienceMs, options))
          : await hasMoved()
      )
        return;
      throw statusOf(error) === 412 ? nameTaken(remote, to) : error;
    }
  });
}

/** Whether the server may still be at work: no answer came, a proxy gave it, or the file is locked (by the move itself). */
function isUnclear(error: unknown): boolean {
  return error instanceof NetworkError || [408, 423, 502, 504, 520, 522, 524].includes(statusOf(error) ?? 0);
}

export async function comesTrue(check: () => Promise<boolean>, patienceMs: number, { signal }: RemoteOptions) {
  const end = Date.now() + patienceMs;
  while (Date.now() < end) {
    await sleep(Math.min(5_000, patienceMs / 20), undefined, signal ? { signal } : {}).catch(() => {});
    throwIfCancelled(signal);
    try {
      if (await check()) return true;
    } catch (error) {
      if (!judgeWebdav(error).retry) throw error;
    }
  }
  return false;
}

/** As ownCloud's desktop client: three minutes a gigabyte, half an hour at most (owncloud/client, adjustLastJobTimeout). */
export function assemblyMs(bytes: number): number {
  return Math.min(30 * 60_000, Math.max(15_000, (bytes / 1e9) * 3 * 60_000));
}

/** Whether a file is there, as far as the server tells. */
export async function isStored(
  remote: Endpoint,
  path: string,
  content: Pick<Content, 'bytes' | 'uploadSum'>,
  options: RemoteOptions,
): Promise<boolean> {
  const found = await lookUpIfThere(remote.client, path, options.signal);
  return found !== undefined && faultOf(found, content, remote) === undefined;
}

/** @throws DiatomError `OWNCLOUD` when something has the name already. */
export async function refuseTakenName(remote: Remote, path: string, options: RemoteOptions): Promise<void> {
  const found = await retrying(options, () => lookUpIfThere(remote.client, path, options.signal));
  if (found) throw nameTaken(remote, path);
}

/** Compares a stored file once more. @throws DiatomError `OWNCLOUD` when it is not what was sent. */
export async function verifyStored(
  remote: Endpoint,
  path: string,
  content: Pick<Content, 'bytes' | 'uploadSum'>,
  options: RemoteOptions,
): Promise<Verified> {
  const found = await retrying(options, () => lookUp(remote.client, path, options.signal));
  const fault = faultOf(found, content, remote);
  if (fault === undefined) return verifiedBy(found, remote);
  throw new DiatomError(
    'OWNCLOUD',
    `“${path}” at ${remote.rootUrl.host} is not what was uploaded: ${fault}. Somebody or something on the server has replaced or changed it.`,
  );
}

/**
 * Deletes a temporary file after a failure or a cancelled run, as well as can be: not with the run's own signal, which
 * may be the reason. The server may still be writing the file, so it is locked or not there yet: both are tried again.
 */
export async function removeTemporary(remote: Remote, path: string, options: RemoteOptions): Promise<void> {
  if (await removeLeftover(remote, path)) return;
  options.onWarning?.(`The temporary file “${path}” may still be at ${remote.rootUrl.host}: look there and delete it.`);
}

/** @returns whether it is gone, as far as the time for a clean-up allows to find out */
export async function removeLeftover(
  remote: Endpoint,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  return deleteUntilGone((signal) => remote.client.deleteFile(path, { signal, headers: { ...headers } }));
}

/** @returns whether it is gone, as far as the time for a clean-up allows to find out */
export async function deleteUntilGone(remove: (signal: AbortSignal) => Promise<unknown>): Promise<boolean> {
  const signal = AbortSignal.timeout(CLEAN_UP_MS);
  for (let absences = 0; ; await sleep(250)) {
    try {
      await remove(signal);
      return true;
    } catch (error) {
      if (statusOf(error) === 404) {
        absences += 1;
        if (absences === 2) return true;
      } else if (signal.aborted || !judgeWebdav(error).retry) {
        return false;
      }
    }
  }
}

export function warnOfPieces({ rootUrl }: Endpoint, options: RemoteOptions): void {
  options.onWarning?.(
    `The pieces of the upload that failed may still take up space at ${rootUrl.host}: the server deletes them by itself after some days.`,
  );
}

function nameTaken(remote: Endpoint, path: string): DiatomError {
  return new DiatomError(
    'OWNCLOUD',
    `At ${remote.rootUrl.host} there is already something named “${path}”. Nothing is overwritten: run again for a new name, or choose another owncloud-folder or archive-prefix.`,
  );
}

/** How a stored file differs from what it should be; `undefined` when it does not, as far as the server tells. */
export function faultOf(
  found: RemoteFile,
  content: Pick<Content, 'bytes' | 'uploadSum'>,
  remote: Endpoint,
): string | undefined {
  if (found.type !== 'file') return 'a folder is there';
  if (found.size !== content.bytes)
    return `${found.size ?? 'an unknown number of'} of ${content.bytes} bytes are there`;
  const differs = found.uploadSum !== undefined && found.uploadSum !== content.uploadSum;
  return differs && trustsSums(remote) ? 'its checksum differs' : undefined;
}

/** How far `faultOf` compared. */
export function verifiedBy(found: RemoteFile, remote: Endpoint): Verified {
  return found.uploadSum !== undefined && trustsSums(remote) ? 'checksum' : 'size';
}

/** Nextcloud shows the sum that the sender gave, whatever it stored. */
export function trustsSums(remote: Endpoint): boolean {
  return remote.product !== 'nextcloud';
}
