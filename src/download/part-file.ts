import { createHash, type Hash } from 'node:crypto';
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { throwIfCancelled } from '../errors.ts';
import { type HttpResponse, headerOf } from '../http/client.ts';

/** The files of one download: the finished one, the one that grows, and the note about it. */
export interface DownloadPaths {
  readonly directory: string;
  readonly file: string;
  readonly part: string;
  readonly note: string;
}

export function downloadPaths(directory: string, fileName: string): DownloadPaths {
  const file = join(directory, fileName);
  return { directory, file, part: `${file}.part`, note: `${file}.part.json` };
}

const PartNote = z.object({
  /** The address, as `cacheKeyOf` hides it. */
  key: z.string(),
  /** What `If-Range` takes: a strong ETag, or a Last-Modified that is old enough to be a strong validator. */
  validator: z.string(),
  /** Bytes of the whole file, where the server told. */
  total: z.optional(z.int().check(z.positive())),
  /** Whether the server said that it sends ranges. Without that a resumption is tried within the run only. */
  ranges: z.boolean(),
});

/** What is known about a `.part` file; without it nobody could tell whether the server's file is still the same. */
export type PartNote = z.infer<typeof PartNote>;

/** A part that can be resumed. */
export interface Part {
  readonly note: PartNote;
  readonly bytes: number;
}

/** The part an earlier attempt or run has left, unless there is none that can be resumed. */
export async function findPart(paths: DownloadPaths, key: string): Promise<Part | undefined> {
  const note = await readNote(paths);
  const file = await stat(paths.part).catch(() => undefined);
  if (note?.key !== key || !file?.isFile() || file.size === 0 || file.size > (note.total ?? file.size))
    return undefined;
  return { note, bytes: file.size };
}

/** `undefined` for a note that is missing, cut off or not ours: then the part is worth nothing, which is no fault. */
async function readNote(paths: DownloadPaths): Promise<PartNote | undefined> {
  try {
    return PartNote.parse(JSON.parse(await readFile(paths.note, 'utf8')));
  } catch {
    return undefined;
  }
}

export async function writeNote(paths: DownloadPaths, note: PartNote): Promise<void> {
  await writeFile(paths.note, JSON.stringify(note));
}

export async function removePart(paths: DownloadPaths): Promise<void> {
  await Promise.all([rm(paths.part, { force: true }), rm(paths.note, { force: true })]);
}

/** The SHA-256 of a file, ready to be continued with what will follow in it. */
export async function hashOfFile(path: string, signal: AbortSignal | undefined): Promise<Hash> {
  const hash = createHash('sha256');
  // One piece of memory for all: what a stream takes for each has to be collected.
  const piece = Buffer.allocUnsafeSlow(2 ** 20);
  const file = await open(path);
  try {
    for (;;) {
      throwIfCancelled(signal);
      const { bytesRead } = await file.read(piece, 0, piece.length, null);
      if (bytesRead === 0) return hash;
      hash.update(piece.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/**
 * The validator of an answer that a later `If-Range` may carry, if there is one (RFC 9110, 13.1.5): the ETag unless it
 * is weak, else the Last-Modified if the answer is at least a minute younger (8.8.2.2).
 */
export function strongValidatorOf(response: Pick<HttpResponse, 'headers'>): string | undefined {
  const etag = headerOf(response, 'etag');
  if (etag?.startsWith('"')) return etag;
  const modified = headerOf(response, 'last-modified');
  const age = Date.parse(headerOf(response, 'date') ?? '') - Date.parse(modified ?? '');
  return age >= 60_000 ? modified : undefined;
}

/** A `Content-Range` of one range, or of none (as a 416 has it); RFC 9110, 14.4. */
export interface ContentRange {
  readonly first: number | undefined;
  readonly total: number | undefined;
}

export function contentRangeOf(response: Pick<HttpResponse, 'headers'>): ContentRange | undefined {
  const parts = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/i.exec(headerOf(response, 'content-range')?.trim() ?? '');
  if (!parts) return undefined;
  const [, first, total] = parts;
  return { first: first === undefined ? undefined : Number(first), total: total === '*' ? undefined : Number(total) };
}

/** The bytes an answer announces, if it does. */
export function contentLengthOf(response: Pick<HttpResponse, 'headers'>): number | undefined {
  const text = headerOf(response, 'content-length');
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
