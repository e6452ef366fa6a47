import { type CheckFormat, CUT_SHORT, wrongSize, ZERO_FILLED } from './fault.ts';
import { type HuffmanTables, isZeroFilled, type JpegFrame, readHuffmanTables } from './jpeg-scan.ts';

/** Start of image (ITU-T T.81, table B.1), and the mark of the next segment. */
export const JPEG_SIGNATURE = Buffer.from([0xff, 0xd8, 0xff]);

const MARK = 0xff;
const [END_OF_IMAGE, START_OF_SCAN, HUFFMAN_TABLES] = [0xd9, 0xda, 0xc4];
/** Marks without a length: RST0 to RST7, SOI, TEM. */
const isBare = (code: number) => (code >= 0xd0 && code <= 0xd8) || code === 0x01;
/** Frame headers, SOF0 to SOF15, among which DHT, JPG and DAC have numbers too. */
const isFrame = (code: number) => code >= 0xc0 && code <= 0xcf && ![HUFFMAN_TABLES, 0xc8, 0xcc].includes(code);

/** So many lines of a text are no chance. */
const LINES = 16;

/** Whether every line feed has a carriage return before it, as only a text of Windows has. */
function isTextTransfer(data: Buffer): boolean {
  let lines = 0;
  for (let at = data.indexOf(0x0a); at >= 0; at = data.indexOf(0x0a, at + 1)) {
    if (data[at - 1] !== 0x0d) return false;
    lines++;
  }
  return lines >= LINES;
}

/** Segment after segment (B.1.1), and through the data of each scan, to the end mark; more may follow. */
export const checkJpeg: CheckFormat = (data) => {
  let at = 2;
  let frame: JpegFrame | undefined;
  let tables: HuffmanTables = new Map();
  let scans = 0;
  while (at + 1 < data.length) {
    // Decoders pass over bytes between two segments, which some cameras and programs leave.
    if (data[at] !== MARK) at = nextMark(data, at);
    const code = data[at + 1] ?? 0;
    if (code === MARK) {
      // Any number of these may stand before a mark.
      at++;
      continue;
    }
    if (code === END_OF_IMAGE) {
      if (!frame || scans === 0) return 'holds no pixels';
      return isTextTransfer(data) ? 'was copied as a text (FTP in ASCII mode), which changes bytes' : undefined;
    }
    if (isBare(code)) {
      at += 2;
      continue;
    }
    if (at + 4 > data.length) return CUT_SHORT;
    const end = at + 2 + data.readUInt16BE(at + 2);
    if (end > data.length) return CUT_SHORT;
    if (isFrame(code) && end - at >= 9) {
      // A height of 0 is told after the first scan (B.2.5).
      const [height, width] = [data.readUInt16BE(at + 5), data.readUInt16BE(at + 7)];
      const fault = wrongSize(width, height || 1);
      if (fault !== undefined) return fault;
      frame = { code, width, height };
    }
    if (code === HUFFMAN_TABLES) {
      const read = readHuffmanTables(data.subarray(at + 4, end), tables);
      if (!read) return 'is damaged: a part of it has a wrong length';
      tables = read;
    }
    const header = data.subarray(at + 4, end);
    at = end;
    if (code !== START_OF_SCAN) continue;
    scans++;
    at = nextMark(data, at);
    if (frame && isZeroFilled({ header, data: data.subarray(end, at) }, frame, tables)) return ZERO_FILLED;
  }
  return CUT_SHORT;
};

/** The next mark that is no part of a scan's data: after 0xff, 0 stands for a byte, and RST0 to RST7 go on with it. */
function nextMark(data: Buffer, from: number): number {
  for (let at = data.indexOf(MARK, from); at >= 0 && at + 1 < data.length; at = data.indexOf(MARK, at + 1)) {
    const code = data[at + 1] ?? 0;
    const goesOn = code === 0 || code === MARK || (code >= 0xd0 && code <= 0xd7);
    if (!goesOn) return at;
  }
  return data.length;
}
