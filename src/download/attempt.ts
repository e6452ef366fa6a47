import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { asNetworkError, type HttpClient, type HttpResponse, headerOf } from '../http/client.ts';
import { freeMemory } from '../parallel/free-memory.ts';
import type { CachedDownload } from './cache.ts';
import { contentEncodingOf, unpacked } from './content-encoding.ts';
import { PassingFailure, pageOf, statusFailure } from './failure.ts';
import { notAZip, zipChunks } from './not-a-zip.ts';
import {
  contentLengthOf,
  contentRangeOf,
  type DownloadPaths,
  findPart,
  hashOfFile,
  type Part,
  removePart,
  strongValidatorOf,
  writeNote,
} from './part-file.ts';
import { type FollowedAnswer, getFollowingRedirects } from './redirect.ts';
import { endsLikeZip } from './zip-signature.ts';

/** One file to get, as every attempt at it sees it. */
export interface DownloadJob {
  readonly url: URL;
  /** See `cacheKeyOf`. */
  readonly key: string;
  readonly paths: DownloadPaths;
  readonly http: HttpClient;
  readonly signal: AbortSignal | undefined;
  /** The SHA-256 it must have, in lower-case hex. */
  readonly expected: string | undefined;
  /** Called with how much of the file is on the disk; it becomes less when the file is started from the beginning. */
  readonly onBytes: (doneBytes: number, totalBytes: number | undefined) => void;
}

/** A whole and verified download, still under its `.part` name. */
export interface Received {
  readonly bytes: number;
  readonly sha256: string;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** See `strongValidatorOf`. */
  readonly validator: string | undefined;
}

/** The file in the cache is what the server has. */
export interface Unchanged extends Pick<Received, 'validator'> {
  readonly unchanged: true;
}

/**
 * Asks for the file once: for its rest when there is a part of it, otherwise for all of it, unless it still is the one
 * in the cache (then it is not sent).
 *
 * @throws PassingFailure, NetworkError: another attempt may succeed; DiatomError: none will.
 */
export async function attemptDownload(
  job: DownloadJob,
  cached: CachedDownload | undefined,
): Promise<Received | Unchanged> {
  const { paths, signal } = job;
  const part = await findPart(paths, job.key);
  const answer = await getFollowingRedirects(job.url, part ? restOf(part) : unlessUnchanged(cached), job);
  const { response, url } = answer;
  if (response.status === 200) return receiveWhole(job, answer);
  if (part && response.status === 206 && continues(response, part)) return receiveRest(job, answer, part);
  const page = await pageOf(response);
  if (part && response.status === 416 && isWhole(response, part)) {
    const hash = await hashOfFile(paths.part, signal);
    return verify(job, { bytes: part.bytes, hash, response, resumed: true });
  }
  if (part && (response.status === 206 || response.status === 416)) {
    // The file is another by now, or its server does not count as we do.
    await removePart(paths);
    return attemptDownload(job, cached);
  }
  if (cached && !part && response.status === 304) return { unchanged: true, validator: validatorOf(response, cached) };
  throwIfCancelled(job.signal);
  throw statusFailure(response, job.url, url, page);
}

function restOf({ bytes, note }: Part): Record<string, string> {
  return { range: `bytes=${bytes}-`, 'if-range': note.validator };
}

function unlessUnchanged(cached: CachedDownload | undefined): Record<string, string> {
  return {
    ...(cached?.etag && { 'if-none-match': cached.etag }),
    ...(cached?.lastModified && { 'if-modified-since': cached.lastModified }),
  };
}

/** A 304 need not repeat what the answer before has told. */
function validatorOf({ headers }: HttpResponse, { etag, lastModified }: CachedDownload): string | undefined {
  return strongValidatorOf({ headers: { etag, 'last-modified': lastModified, ...headers } });
}

/** Whether a 206 goes on exactly where the part ends, with the same file. */
function continues(response: HttpResponse, { note, bytes }: Part): boolean {
  const range = contentRangeOf(response);
  return range?.first === bytes && hasValidator(response, note.validator) && sameTotal(range.total, note.total);
}

/** Whether a 416 says that there is nothing to add: a run was ended between the last byte and the renaming. */
function isWhole(response: HttpResponse, { note, bytes }: Part): boolean {
  return contentRangeOf(response)?.total === bytes && hasValidator(response, note.validator);
}

/** Servers that overlook If-Range often send the ETag of what they have now. */
function hasValidator(response: HttpResponse, validator: string): boolean {
  const now = validator.startsWith('"') ? headerOf(response, 'etag') : headerOf(response, 'last-modified');
  return now === undefined || now === validator;
}

function sameTotal(a: number | undefined, b: number | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}

async function receiveWhole(job: DownloadJob, answer: FollowedAnswer): Promise<Received> {
  const { response, url } = answer;
  const { paths, key } = job;
  const encoding = contentEncodingOf(response);
  const total = encoding === undefined ? contentLengthOf(response) : undefined;
  const validator = encoding === undefined ? strongValidatorOf(response) : undefined;
  const ranges = headerOf(response, 'accept-ranges');
  const hash = createHash('sha256');
  const origin = { asked: job.url, answered: url, contentType: headerOf(response, 'content-type') };
  const sent = networkChunks(answer, job.signal);
  const plain = encoding === undefined ? sent : unpacked(sent, encoding, url.host);
  const chunks = zipChunks(plain, (sample) => notAZip(sample, origin));
  // Opened when the first bytes are seen to be a zip's: a page must not cost the part of an earlier attempt.
  const begin = async () => {
    await removePart(paths);
    job.onBytes(0, total);
    if (validator && ranges !== 'none') await writeNote(paths, { key, validator, total, ranges: ranges === 'bytes' });
    return open(paths.part, 'w');
  };
  const bytes = await receive(job, { chunks, begin, hash, bytes: 0, total });
  return verify(job, { bytes, hash, response, resumed: false });
}

async function receiveRest(job: DownloadJob, answer: FollowedAnswer, part: Part): Promise<Received> {
  const { response } = answer;
  const { paths, signal } = job;
  const total = part.note.total ?? contentRangeOf(response)?.total;
  const hash = await hashOfFile(paths.part, signal);
  const begin = async () => {
    await writeNote(paths, { ...part.note, total, ranges: true });
    return open(paths.part, 'a');
  };
  const bytes = await receive(job, { chunks: networkChunks(answer, signal), begin, hash, bytes: part.bytes, total });
  return verify(job, { bytes, hash, response, resumed: true });
}

/** The body of an answer as it comes; when it breaks, the error is one for the user. */
export async function* networkChunks({ response, url }: FollowedAnswer, signal: AbortSignal | undefined) {
  try {
    const chunks: AsyncIterable<Buffer> = response.body;
    yield* chunks;
  } catch (error) {
    throw asNetworkError(error, url, signal);
  }
}

interface Reception {
  readonly chunks: AsyncIterable<Buffer>;
  /** Opens the part, to be written from its end. */
  readonly begin: () => Promise<FileHandle>;
  readonly hash: Hash;
  /** How much of the file is there already. */
  readonly bytes: number;
  readonly total: number | undefined;
}

/** So much is hashed and written at a time: what comes from the network comes in far smaller pieces. */
const BLOCK_BYTES = 2 ** 20;

/** What Node.js reads from a connection at a time, when so much is there. */
const READ_BYTES = 64 * 1_024;

/** Writes what comes to the part, block by block, and returns how long the file is then. */
async function receive(job: DownloadJob, { chunks, begin, hash, bytes, total }: Reception): Promise<number> {
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let file: FileHandle | undefined;
  let [done, waiting, written] = [bytes, 0, bytes];

  async function flush(): Promise<void> {
    if (waiting === 0) return;
    const data = block.subarray(0, waiting);
    waiting = 0;
    file ??= await begin();
    hash.update(data);
    await file.writeFile(data);
    written += data.length;
    job.onBytes(written, total);
  }

  try {
    for await (const chunk of chunks) {
      const received = chunk.length;
      done += received;
      if (total !== undefined && done > total) break;
      for (let taken = 0; taken < received; ) {
        const copied = chunk.copy(block, waiting, taken);
        waiting += copied;
        taken += copied;
        if (waiting === BLOCK_BYTES) await flush();
      }
      // A chunk that fills its memory is the only one in it.
      if (received === chunk.buffer.byteLength) freeMemory(chunk.buffer);
      // Nothing more is there for now: what has come should not wait for it, should the run be ended meanwhile.
      if (received < READ_BYTES) await flush();
    }
  } finally {
    // What has come before a connection breaks is worth keeping.
    try {
      await flush();
    } finally {
      await file?.close();
    }
  }
  if (total === undefined || done === total) return done;
  if (done < total) throw new PassingFailure(`${job.url.host} broke off after ${done} of ${total} bytes.`);
  await removePart(job.paths);
  throw new PassingFailure(`${job.url.host} sends more than the ${total} bytes that it has announced.`);
}

interface Reached {
  readonly bytes: number;
  readonly hash: Hash;
  readonly response: HttpResponse;
  /** Put together from several answers. */
  readonly resumed: boolean;
}

async function verify(job: DownloadJob, { bytes, hash, response, resumed }: Reached): Promise<Received> {
  const sha256 = hash.digest('hex');
  const cutOff = await missingEnd(job, bytes);
  const fault = cutOff ?? wrongHash(job, sha256);
  if (fault) {
    await removePart(job.paths);
    // Pieces do not fit when the server has changed the file unnoticed, and a body that ends with its connection (no
    // length, no chunks) may have been cut: both may go well the next time.
    const passing = resumed || (cutOff !== undefined && !hasCertainEnd(response));
    throw passing ? new PassingFailure(fault) : new DiatomError('DOWNLOAD', fault);
  }
  const [etag, lastModified] = [headerOf(response, 'etag'), headerOf(response, 'last-modified')];
  // Of what was packed on the way, they are about the packed bytes.
  const validator = contentEncodingOf(response) === undefined ? strongValidatorOf(response) : undefined;
  return { bytes, sha256, etag, lastModified, validator };
}

function hasCertainEnd(response: HttpResponse): boolean {
  return contentLengthOf(response) !== undefined || headerOf(response, 'transfer-encoding') !== undefined;
}

async function missingEnd({ paths, url }: DownloadJob, bytes: number): Promise<string | undefined> {
  const file = await open(paths.part);
  try {
    if (await endsLikeZip(file, bytes)) return undefined;
  } finally {
    await file.close();
  }
  return `What came from ${url.host} (${bytes} bytes) begins like a zip but has no end: it was cut off, on the way or when it was stored there, or it is one part of a zip that was split into several files (.z01, .zip.001). If this happens again, upload the zip there again, in one piece.`;
}

function wrongHash({ expected, url }: DownloadJob, sha256: string): string | undefined {
  if (expected === undefined || sha256 === expected) return undefined;
  return `What came from ${url.host} has the SHA-256 ${sha256}, the file list expects ${expected}: the file was changed or damaged. If the change is wanted, put the new sum into sha256; otherwise ask the owner for the right file.`;
}
