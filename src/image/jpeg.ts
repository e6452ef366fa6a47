import { type CheckFormat, CUT_SHORT, wrongSize, ZERO_FILLED } from './fault.ts';
import type { ImageBytes } from './image-bytes.ts';
import { type HuffmanTables, isZeroFilled, type JpegFrame, readHuffmanTables } from './jpeg-scan.ts';
import { isTextTransfer, TEXT_TRANSFER } from './text-transfer.ts';

/** Start of image (ITU-T T.81, table B.1), and the mark of the next segment. */
export const JPEG_SIGNATURE = Buffer.from([0xff, 0xd8, 0xff]);

const MARK = 0xff;
const [END_OF_IMAGE, START_OF_SCAN, HUFFMAN_TABLES] = [0xd9, 0xda, 0xc4];
/** Marks without a length: RST0 to RST7, SOI, TEM. */
const isBare = (code: number) => (code >= 0xd0 && code <= 0xd8) || code === 0x01;
/** Frame headers, SOF0 to SOF15, among which DHT, JPG and DAC have numbers too. */
const isFrame = (code: number) => code >= 0xc0 && code <= 0xcf && ![HUFFMAN_TABLES, 0xc8, 0xcc].includes(code);

const isLookedAt = (code: number) => isFrame(code) || code === HUFFMAN_TABLES || code === START_OF_SCAN;
const NOTHING = Buffer.alloc(0);

/** Segment after segment (B.1.1), and through the data of each scan, to the end mark; more may follow. */
export const checkJpeg: CheckFormat = (bytes) => {
  let at = 2;
  let frame: JpegFrame | undefined;
  let tables: HuffmanTables = new Map();
  let scans = 0;
  while (at + 1 < bytes.length) {
    // Decoders pass over bytes between two segments, which some cameras and programs leave.
    if (bytes.at(at) !== MARK) at = nextMark(bytes, at);
    const code = bytes.at(at + 1) ?? 0;
    if (code === MARK) {
      // Any number of these may stand before a mark.
      at++;
      continue;
    }
    if (code === END_OF_IMAGE) {
      if (!frame || scans === 0) return 'holds no pixels';
      return isTextTransfer(bytes) ? TEXT_TRANSFER : undefined;
    }
    if (isBare(code)) {
      at += 2;
      continue;
    }
    if (at + 4 > bytes.length) return CUT_SHORT;
    const end = at + 2 + bytes.slice(at + 2, at + 4).readUInt16BE(0);
    if (end > bytes.length) return CUT_SHORT;
    // It is asked for what follows before it is done with.
    const content = isLookedAt(code) ? Buffer.from(bytes.slice(at + 4, end)) : NOTHING;
    at = end;
    if (isFrame(code) && content.length >= 5) {
      frame = { code, width: content.readUInt16BE(3), height: content.readUInt16BE(1) };
      // A height of 0 is told after the first scan (B.2.5).
      const fault = wrongSize(frame.width, frame.height || 1);
      if (fault !== undefined) return fault;
    }
    if (code === HUFFMAN_TABLES) {
      const read = readHuffmanTables(content, tables);
      if (!read) return 'is damaged: a part of it has a wrong length';
      tables = read;
    }
    if (code !== START_OF_SCAN) continue;
    scans++;
    at = nextMark(bytes, end);
    if (frame && isZeroFilled({ bytes, from: end, to: at, header: content }, frame, tables)) return ZERO_FILLED;
  }
  return CUT_SHORT;
};

/** The next mark that is no part of a scan's data: after 0xff, 0 stands for a byte, and RST0 to RST7 go on with it. */
function nextMark(bytes: ImageBytes, from: number): number {
  const next = (at: number) => bytes.indexOf(MARK, at, bytes.length);
  for (let at = next(from); at >= 0 && at + 1 < bytes.length; at = next(at + 1)) {
    const code = bytes.at(at + 1) ?? 0;
    const goesOn = code === 0 || code === MARK || (code >= 0xd0 && code <= 0xd7);
    if (!goesOn) return at;
  }
  return bytes.length;
}
