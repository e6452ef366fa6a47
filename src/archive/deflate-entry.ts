import { isCompressedImage } from '../image/formats.ts';
import { deflateInto } from './deflate.ts';

/** What a smaller file could gain is not worth the time, which is the same for all of them. */
const MIN_BYTES = 1_024;

/** What takes more than this part of its size when it is deflated is stored: reading it is faster then. */
const LARGEST_PART = 0.95;

/**
 * Of what is large, a piece of the middle is tried first: a TIFF that is compressed inside is given up soon. The middle,
 * because a file may begin with a preview, or with notes.
 */
const SAMPLE_BYTES = 2 ** 16;

/**
 * Decides how an entry stands in an archive, by nothing but its name and bytes: deflated where that makes it smaller by
 * some per cent, else stored.
 *
 * @param target has room for `data`, and gets them deflated; when they are to be stored, it is of no use
 * @returns how many bytes they became; `undefined` when they are to be stored
 */
export function deflateEntry(name: string, data: Uint8Array, target: Uint8Array): number | undefined {
  if (data.length < MIN_BYTES || isCompressed(name)) return undefined;
  const middle = Math.floor((data.length - SAMPLE_BYTES) / 2);
  const sample = data.subarray(middle, middle + SAMPLE_BYTES);
  if (data.length > 4 * SAMPLE_BYTES && deflateSmaller(sample, target) === undefined) return undefined;
  return deflateSmaller(data, target);
}

function deflateSmaller(data: Uint8Array, target: Uint8Array): number | undefined {
  return deflateInto(data, target.subarray(0, Math.floor(data.length * LARGEST_PART)));
}

function isCompressed(name: string): boolean {
  return isCompressedImage(name) || /\.zip$/i.test(name);
}
