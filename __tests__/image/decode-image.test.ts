import { deflateRawSync, deflateSync } from 'node:zlib';
import { decode as decodePng, encode as encodePng } from 'fast-png';
import { decode as decodeTiffFile } from 'tiff';
import { describe, expect, test } from 'vitest';
import { createNoise } from '../../scripts/bench/images.ts';
import { chunk } from '../../scripts/sample/png.ts';
import { decodeImage } from '../../src/image/decode-image.ts';
import { PNG_SIGNATURE } from '../../src/image/png.ts';
import { packLzw } from '../helpers/lzw.ts';
import { tiffOf } from '../helpers/tiff.ts';

const noJpeg = () => {
  throw new Error('no JPEG');
};
const decode = (file: Buffer) => decodeImage(file, noJpeg);

/** Adam7 (PNG, third edition, 8.1): of each pass its first column and row, and the steps to the next ones. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** The rows of an image of so many columns, a byte each, as they come in a file that is interlaced. */
function interlaced(pixels: Buffer, width: number): Buffer {
  const height = pixels.length / width;
  return Buffer.from(
    PASSES.flatMap(([left, top, right, down]) => {
      const rows: number[] = [];
      for (let y = top; y < height && left < width; y += down) {
        rows.push(0);
        for (let x = left; x < width; x += right) rows.push(pixels[y * width + x] ?? 0);
      }
      return rows;
    }),
  );
}

/** A PNG of rows that begin with their filter, in so many IDAT chunks, and with a chunk that nobody knows. */
function pngOf(
  [width, height, depth, colours, interlace = 0]: readonly [number, number, number, number, number?],
  rows: Buffer,
  {
    before = [],
    pieces = 1,
    isPacked = false,
  }: { readonly before?: readonly Buffer[]; readonly pieces?: number; readonly isPacked?: boolean } = {},
): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, depth, colours, 0, 0, interlace]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const packed = isPacked ? rows : deflateSync(rows);
  const length = Math.ceil(packed.length / pieces);
  const data = Array.from({ length: pieces }, (_, piece) => packed.subarray(piece * length, (piece + 1) * length));
  return Buffer.concat([
    PNG_SIGNATURE,
    chunk('IHDR', header),
    chunk('noTe', Buffer.from('odd')),
    ...before,
    ...data.map((one) => chunk('IDAT', one)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const bytesOf = (count: number) => createNoise('pixels')(count);

/** Rows of so many bytes behind their filter, 0 for not filtered. */
function rowsOf(pixels: Buffer, rowBytes: number): Buffer {
  const rows = Buffer.alloc((pixels.length / rowBytes) * (rowBytes + 1));
  for (let at = 0, to = 1; at < pixels.length; at += rowBytes, to += rowBytes + 1)
    pixels.copy(rows, to, at, at + rowBytes);
  return rows;
}

const dataOf = (file: Buffer) => Buffer.from(Uint8Array.from(decode(file).data));

describe('a PNG', () => {
  test.each([8, 16] as const)('of %d bits has the pixels that its decoder finds without help', (depth) => {
    for (const channels of [1, 2, 3, 4] as const) {
      const [width, height] = [261, 243];
      const count = width * height * channels;
      const bytes = bytesOf(2 * count).map((byte, at) => (at % 61) + (byte & 15));
      const data = depth === 8 ? bytes.subarray(0, count) : new Uint16Array(bytes.buffer, bytes.byteOffset, count);
      const file = Buffer.from(encodePng({ width, height, channels, depth, data }));
      const { data: pixels, channels: found } = decode(file);
      expect(found).toBe(channels);
      const [ours, alone] = [pixels, decodePng(file).data].map((values) =>
        Buffer.from(Uint16Array.from(values).buffer),
      );
      expect(ours?.equals(alone ?? Buffer.alloc(0))).toBe(true);
    }
  });

  test.each([1, 2, 4, 8])('of %d bits has its colours, and what is transparent', (depth) => {
    const [width, height] = [800, 400];
    const rowBytes = (width * depth) / 8;
    const pixels = bytesOf(height * rowBytes);
    const rows = rowsOf(pixels, rowBytes);
    const colours = Buffer.from(Array.from({ length: 3 * 2 ** depth }, (_, at) => (at * 11) & 255));
    const clear = Buffer.from([0, 128]);
    const size = [width, height, depth, 3] as const;
    const index = (pixels[0] ?? 0) >> (8 - depth);
    const alpha = index < clear.length ? clear[index] : 255;
    const found = dataOf(pngOf(size, rows, { before: [chunk('PLTE', colours), chunk('tRNS', clear)] }));
    expect([...found.subarray(0, 4)]).toEqual([...colours.subarray(3 * index, 3 * index + 3), alpha]);
    const opaque = dataOf(pngOf(size, rows, { before: [chunk('PLTE', colours)] }));
    expect(opaque).toHaveLength(3 * width * height);
    expect([...opaque.subarray(0, 3)]).toEqual([...colours.subarray(3 * index, 3 * index + 3)]);
    const grey = dataOf(pngOf([width, height, depth, 0], rows));
    expect(grey[0]).toBe(index);
    expect(grey).toHaveLength(width * height);
  });

  test.each([
    ['large', 5_000],
    ['small', 90],
  ])('that is %s, and interlaced, or whose pixels come in several chunks, has the same as any other', (_, height) => {
    const pixels = bytesOf(8 * height);
    expect(dataOf(pngOf([8, height, 8, 0, 1], interlaced(pixels, 8))).equals(pixels)).toBe(true);
    expect(dataOf(pngOf([8, height, 8, 0], rowsOf(pixels, 8), { pieces: 7 })).equals(pixels)).toBe(true);
    const stored = deflateSync(rowsOf(pixels, 8), { level: 0 });
    expect(dataOf(pngOf([8, height, 8, 0], stored, { isPacked: true })).equals(pixels)).toBe(true);
  });

  test('with a row too many has those of its size; with far more, without any, or with another header, it is not decoded', () => {
    const pixels = bytesOf(1_000 * 90);
    const size = [1_000, 90, 8, 0] as const;
    const more = Buffer.concat([pixels, pixels.subarray(0, 1_000)]);
    expect(dataOf(pngOf(size, rowsOf(more, 1_000))).equals(pixels)).toBe(true);
    // It begins with a block that is stored, and empty.
    const bomb = Buffer.concat([
      Buffer.from([0x78, 0x01, 0, 0, 0, 0xff, 0xff]),
      deflateRawSync(bytesOf(100_000).map((byte) => byte & 15)),
    ]);
    expect(() => decode(pngOf([11, 9, 8, 0], bomb, { isPacked: true }))).toThrow('larger than');
    expect(() => decode(pngOf([0, 4_000_000_000, 8, 0], pixels))).toThrow('no pixels');
    const larger = pngOf([1_000, 900, 8, 0], pixels).subarray(8, 33);
    expect(() => decode(pngOf(size, rowsOf(pixels, 1_000), { before: [larger] }))).toThrow('not first and alone');
    expect(() => decode(pngOf(size, rowsOf(pixels, 1_000)).subarray(0, -12))).toThrow('ends before its last chunk');
  });
});

describe('a TIFF', () => {
  const [width, height] = [70, 50];
  const packers: Readonly<Record<number, (data: Buffer) => Buffer>> = {
    5: packLzw,
    8: deflateSync,
    32946: deflateSync,
  };

  /** The same image packed and not. */
  function expectSame(compression: number, file: (way: number, pack: (data: Buffer) => Buffer) => Buffer): void {
    const plain = decode(file(1, (data) => data));
    expect(decode(file(compression, packers[compression] ?? expect.unreachable()))).toEqual(plain);
    expect(new Set(Array.from(plain.data)).size).toBeGreaterThan(20);
  }

  const values = (bytes: number) => Buffer.from(createNoise('tiff')(bytes).map((byte, at) => (at % 70) + (byte & 7)));

  test.each([5, 8, 32946])(
    'whose strips are packed in way %d has the pixels of one that is not packed',
    (compression) => {
      for (const isLittle of [true, false]) {
        for (const [bits, channels] of [
          [8, 1],
          [8, 3],
          [16, 1],
          [16, 3],
        ] as const) {
          for (const rows of [7, height, 2 ** 32 - 1]) {
            const rowBytes = (width * bits * channels) / 8;
            const data = values(rowBytes * height);
            const strips = Array.from({ length: Math.ceil(height / rows) }, (_, strip) =>
              data.subarray(strip * rows * rowBytes, (strip + 1) * rows * rowBytes),
            );
            expectSame(compression, (way, pack) => {
              const parts = strips.map(pack);
              const tags = new Map<number, number | number[]>([
                [256, width],
                [257, height],
                [258, Array.from({ length: channels }, () => bits)],
                [259, way],
                [262, channels === 1 ? 1 : 2],
                [277, channels],
                [278, rows],
                [279, parts.map(({ length }) => length)],
              ]);
              return tiffOf(tags, { parts, partsTag: 273, isLittle });
            });
          }
        }
      }
    },
  );

  test.each([5, 8])('whose tiles are packed in way %d has the pixels of one that is not packed', (compression) => {
    expectSame(compression, (way, pack) => {
      const parts = Array.from({ length: 6 }, (_, tile) => pack(values((tile + 1) * 32 * 32).subarray(-32 * 32)));
      const lengths = parts.map(({ length }) => length);
      const tags = new Map<number, number | number[]>([
        [256, width],
        [257, height],
        [258, 8],
        [259, way],
        [262, 1],
        [277, 1],
        [322, 32],
        [323, 32],
        [325, lengths],
      ]);
      return tiffOf(tags, { parts, partsTag: 324 });
    });
  });

  /** Grey with 8 bits, in strips of one row unless `tags` say something else. */
  const greyTiff = (side: number, way: number, parts: readonly Buffer[], tags: readonly [number, number][] = []) => {
    const lengths = parts.map(({ length }) => length);
    const own = [
      [256, side],
      [257, side],
      [258, 8],
      [259, way],
      [262, 1],
      [277, 1],
      [278, 1],
      [279, lengths],
    ] as const;
    return tiffOf(new Map<number, number | readonly number[]>([...own, ...tags]), { parts, partsTag: 273 });
  };

  test.each([1, 5, 63, 64, 65])('of rows with %d bytes is unpacked', (side) => {
    const rows = Array.from({ length: side }, (_, row) => values((row + 1) * side).subarray(row * side));
    for (const more of [0, 3]) {
      const packed = rows.map((row) => deflateSync(Buffer.concat([row, Buffer.alloc(more)])));
      const found = decode(greyTiff(side, 8, packed));
      expect(Buffer.from(Uint8Array.from(found.data))).toEqual(Buffer.concat(rows));
    }
  });

  test('whose table of strings stays full is unpacked, where the decoder alone fails', () => {
    const pixels = createNoise('full')(100 * 100);
    const file = greyTiff(100, 5, [packLzw(pixels, false)], [[278, 100]]);
    expect(() => decodeTiffFile(file)).toThrow('LZW decoding error');
    expect(Buffer.from(Uint8Array.from(decode(file).data))).toEqual(pixels);
  });

  test('of more strips than it needs has the first of them, and of strips that are longer than the file it is not decoded', () => {
    const strip = deflateSync(Buffer.alloc(400));
    const many = greyTiff(20, 8, [strip, ...Array.from({ length: 500 }, () => Buffer.alloc(0))], [[278, 20]]);
    expect(decode(many).data).toHaveLength(400);
    const long = greyTiff(
      200,
      5,
      Array.from({ length: 200 }, () => Buffer.alloc(0)),
    );
    // Each strip is all of the file.
    for (let at = long.length - 4 * 400; at < long.length - 4 * 200; at += 4) long.writeUInt32LE(long.length, at);
    for (let at = long.length - 4 * 200; at < long.length; at += 4) long.writeUInt32LE(long.length, at);
    expect(() => decode(long)).toThrow('longer than the file');
  });

  test('whose pixels can’t be unpacked, are too few, or of which nobody says how many bits they have, is not decoded', () => {
    const parts = [Buffer.from('no pixels at all')];
    expect(() => decode(greyTiff(20, 5, parts, [[278, 20]]))).toThrow(/not known yet|has \d+ bytes and not 400/);
    expect(() => decode(greyTiff(20, 8, parts, [[278, 20]]))).toThrow('incorrect header check');
    expect(() => decode(greyTiff(20, 5, [packLzw(Buffer.alloc(399))], [[278, 20]]))).toThrow('399 bytes and not 400');
    const bomb = greyTiff(20, 8, [deflateSync(Buffer.alloc(2_000_000))], [[278, 20]]);
    expect(() => decode(bomb)).toThrow('larger than');
    // The tag becomes one that nobody knows.
    const tag = bomb.indexOf(Buffer.from([258 & 255, 1, 4, 0, 1, 0, 0, 0]));
    bomb.writeUInt16LE(60_000, tag);
    expect(() => decode(bomb)).toThrow('Unsupported bitDepth');
  });

  test('of tiles that hold differences, which the decoder takes for whole rows, is not decoded', () => {
    const parts = Array.from({ length: 4 }, () => packLzw(Buffer.alloc(32 * 32)));
    const lengths = parts.map(({ length }) => length);
    const tags = [
      [256, 50],
      [257, 50],
      [258, 8],
      [259, 5],
      [262, 1],
      [277, 1],
      [317, 2],
      [322, 32],
      [323, 32],
      [325, lengths],
    ] as const;
    const file = tiffOf(new Map<number, number | readonly number[]>(tags), { parts, partsTag: 324 });
    expect(() => decode(file)).toThrow('tiles of differences');
  });
});
