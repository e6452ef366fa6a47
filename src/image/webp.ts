import { type CheckFormat, CUT_SHORT, ZERO_FILLED } from './fault.ts';
import { hasLongerRun, type ImageBytes, STRANGE_RUN_BYTES } from './image-bytes.ts';
import { isTextTransfer, TEXT_TRANSFER } from './text-transfer.ts';

/** RFC 9649, 2.4: “RIFF”, the size, “WEBP”. */
export function isWebp(head: Buffer): boolean {
  return head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP';
}

const PICTURES = new Set(['VP8 ', 'VP8L', 'ANMF']);

interface Start {
  /** What a picture begins with, and where. */
  readonly at: number;
  readonly mark: Buffer;
  /** Its width and height, from its first bytes. */
  readonly sides: (head: Buffer) => readonly [width: number, height: number];
}

const START_BYTES = 10;

/** Of a lossy picture (RFC 6386, 9.1) and a lossless one (RFC 9649, 3.4). */
const STARTS: Readonly<Record<string, Start>> = {
  'VP8 ': {
    at: 3,
    mark: Buffer.from([0x9d, 0x01, 0x2a]),
    sides: (head) => [head.readUInt16LE(6) & 0x3fff, head.readUInt16LE(8) & 0x3fff],
  },
  VP8L: {
    at: 0,
    mark: Buffer.from([0x2f]),
    sides: (head) => [(head.readUInt32LE(1) & 0x3fff) + 1, ((head.readUInt32LE(1) >>> 14) & 0x3fff) + 1],
  },
};

/** Pixels of an even area, for which a picture may have a byte of zeros (measured: a seventh of it). */
const EVEN_PIXELS = 256;

/** Chunk after chunk (2.3), with a picture among them, inside the file and its stated size. */
export const checkWebp: CheckFormat = (bytes) => {
  const end = 8 + bytes.slice(4, 8).readUInt32LE(0);
  if (end > bytes.length) return CUT_SHORT;
  let pictures = 0;
  for (let at = 12; at + 8 <= end; ) {
    const start = bytes.slice(at, at + 8);
    const type = start.toString('latin1', 0, 4);
    const length = start.readUInt32LE(4);
    if (at + 8 + length > end) return CUT_SHORT;
    const fault = faultOfPicture(bytes, type, { from: at + 8, to: at + 8 + length });
    if (fault !== undefined) return fault;
    if (PICTURES.has(type)) pictures++;
    at += 8 + length + (length % 2);
  }
  if (pictures === 0) return 'holds no pixels';
  return isTextTransfer(bytes) ? TEXT_TRANSFER : undefined;
};

function faultOfPicture(
  bytes: ImageBytes,
  type: string,
  { from, to }: { readonly from: number; readonly to: number },
): string | undefined {
  const start = STARTS[type];
  if (!start) return undefined;
  const head = bytes.slice(from, Math.min(to, from + START_BYTES));
  const mark = head.subarray(start.at, start.at + start.mark.length);
  if (!mark.equals(start.mark) || head.length < START_BYTES) return 'is damaged: its picture does not begin like one';
  const [width, height] = start.sides(head);
  const most = STRANGE_RUN_BYTES + Math.ceil((width * height) / EVEN_PIXELS);
  return hasLongerRun(bytes, from, to, most) ? ZERO_FILLED : undefined;
}
