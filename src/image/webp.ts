import { type CheckFormat, CUT_SHORT } from './fault.ts';

/** RFC 9649, 2.4: “RIFF”, the size, “WEBP”. */
export function isWebp(data: Buffer): boolean {
  return data.toString('latin1', 0, 4) === 'RIFF' && data.toString('latin1', 8, 12) === 'WEBP';
}

const PICTURES = new Set(['VP8 ', 'VP8L', 'ANMF']);

/** Chunk after chunk (2.3), with a picture among them, inside the file and its stated size. */
export const checkWebp: CheckFormat = (data) => {
  const end = 8 + data.readUInt32LE(4);
  if (end > data.length) return CUT_SHORT;
  let pictures = 0;
  for (let at = 12; at + 8 <= end; ) {
    const type = data.toString('latin1', at, at + 4);
    const length = data.readUInt32LE(at + 4);
    if (at + 8 + length > end) return CUT_SHORT;
    if (PICTURES.has(type)) pictures++;
    at += 8 + length + (length % 2);
  }
  return pictures === 0 ? 'holds no pixels' : undefined;
};
