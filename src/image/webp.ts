import { type CheckFormat, CUT_SHORT, ZERO_FILLED } from './fault.ts';

/** RFC 9649, 2.4: “RIFF”, the size, “WEBP”. */
export function isWebp(data: Buffer): boolean {
  return data.toString('latin1', 0, 4) === 'RIFF' && data.toString('latin1', 8, 12) === 'WEBP';
}

const PICTURES = new Set(['VP8 ', 'VP8L', 'ANMF']);

/** What a picture begins with, and where: a lossy one's start code (RFC 6386, 9.1), a lossless one's mark (RFC 9649, 3.4). */
const STARTS: Readonly<Record<string, { readonly at: number; readonly mark: Buffer }>> = {
  'VP8 ': { at: 3, mark: Buffer.from([0x9d, 0x01, 0x2a]) },
  VP8L: { at: 0, mark: Buffer.from([0x2f]) },
};

/** Packed as they are, pixels never end with so many zeros. */
const ZEROS = Buffer.alloc(256);

/** Chunk after chunk (2.3), with a picture among them, inside the file and its stated size. */
export const checkWebp: CheckFormat = (data) => {
  const end = 8 + data.readUInt32LE(4);
  if (end > data.length) return CUT_SHORT;
  let pictures = 0;
  for (let at = 12; at + 8 <= end; ) {
    const type = data.toString('latin1', at, at + 4);
    const length = data.readUInt32LE(at + 4);
    if (at + 8 + length > end) return CUT_SHORT;
    const fault = faultOfPicture(type, data.subarray(at + 8, at + 8 + length));
    if (fault !== undefined) return fault;
    if (PICTURES.has(type)) pictures++;
    at += 8 + length + (length % 2);
  }
  return pictures === 0 ? 'holds no pixels' : undefined;
};

function faultOfPicture(type: string, content: Buffer): string | undefined {
  const start = STARTS[type];
  if (!start) return undefined;
  if (!content.subarray(start.at, start.at + start.mark.length).equals(start.mark)) {
    return 'is damaged: its picture does not begin like one';
  }
  return content.length > 2 * ZEROS.length && content.subarray(-ZEROS.length).equals(ZEROS) ? ZERO_FILLED : undefined;
}
