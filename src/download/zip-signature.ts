import type { FileHandle } from 'node:fs/promises';

/** APPNOTE.TXT 4.3.7 and 4.3.16: a zip begins with a local file header, an empty one with the end record. */
const FIRST_ENTRY = Buffer.from('PK\x03\x04', 'latin1');
const END_RECORD = Buffer.from('PK\x05\x06', 'latin1');
/** Without its comment, whose length is in the last two bytes. */
const END_RECORD_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;

/** How far into a file its first entry is looked for: a warning that a web server puts before it is no longer. */
const MAX_STRAY_BYTES = 4 * 1_024;

/** Whether these first bytes are a zip's, or stray ones before it. `undefined`: too few to tell. */
export function beginsLikeZip(head: Buffer): boolean | undefined {
  if (head.subarray(0, END_RECORD.length).equals(END_RECORD)) return true;
  const start = head.subarray(0, MAX_STRAY_BYTES + FIRST_ENTRY.length);
  if (start.includes(FIRST_ENTRY)) return true;
  return start.length < MAX_STRAY_BYTES + FIRST_ENTRY.length ? undefined : false;
}

/**
 * Whether a file holds a zip's end-of-central-directory record (APPNOTE.TXT 4.3.16) where it must be: in the last
 * 22 bytes and 64 KiB, and as much again for stray bytes. A download that was cut off has none, whatever its server said
 * about its length.
 */
export async function endsLikeZip(file: FileHandle, bytes: number): Promise<boolean> {
  const length = Math.min(bytes, END_RECORD_BYTES + 2 * MAX_COMMENT_BYTES);
  const { buffer: tail } = await file.read(Buffer.alloc(length), 0, length, bytes - length);
  for (let at = tail.lastIndexOf(END_RECORD); at >= 0; at = at === 0 ? -1 : tail.lastIndexOf(END_RECORD, at - 1)) {
    const commentAt = at + END_RECORD_BYTES;
    if (commentAt <= tail.length && commentAt + tail.readUInt16LE(commentAt - 2) <= tail.length) return true;
  }
  return false;
}
