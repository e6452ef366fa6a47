/** Segments of a JPEG that say how its numbers are meant: JFIF's and Adobe's. */
const KEPT = [0xe0, 0xee];
const START_OF_SCAN = 0xda;

/**
 * A JPEG without EXIF, colour profile and comments, which would let the browser turn it and change its colours. Neither
 * training nor the serving code does that.
 */
export function withoutMetadata(file: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const kept = [file.subarray(0, 2)];
  let at = 2;
  while (file[at] === 0xff && at + 4 <= file.length) {
    const marker = file[at + 1] ?? 0;
    if (marker === START_OF_SCAN) break;
    const end = at + 2 + (file[at + 2] ?? 0) * 256 + (file[at + 3] ?? 0);
    const application = (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe;
    if (!application || KEPT.includes(marker)) kept.push(file.subarray(at, end));
    at = end;
  }
  kept.push(file.subarray(at));
  const result = new Uint8Array(kept.reduce((sum, part) => sum + part.length, 0));
  let to = 0;
  for (const part of kept) {
    result.set(part, to);
    to += part.length;
  }
  return result;
}
