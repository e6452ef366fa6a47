import { deflateSync } from 'node:zlib';
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

/** 8 × 200, grey, written by pypng, interlaced and not. */
const INTERLACED =
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAADICAAAAAGHi891AAADxUlEQVR42o3R/1sYYhSG8Xtb29rWtra1rW1ta1vb2ta2trUtDCGEEEIIIYQQQgghhBBCCCGEEEIIIYQQQgghhCEMYb6c9zrPH+D3+/q81/scIJJoYoknkWRSSSODLHLIo4AiSiijgipqqKOBJlpo+x9FB1300McAgwwBEelEZRKTTVwuCfkkFZJSzIZS0svJrCS7mtxa8uspbKS4mdJWytup7KS6m9pe6vtp3EjzJlo30x5BfF4QEgsCklwUnNSSQKWVBS2jIoBZVcHMqQlsXl2QCxoCXtQU/JKW8ERZW3iloiM8VNUV3qrpCc/V9YUXGwbCo02D4d2WofB0G+H1jkg6o+iKpjuGnlh64+iLpz+B4fO3P5xRi3Y6irFLdz2WCSv2OIHJq/c+mWnr9juNmVseeCZztjnkHCw7H8suwrJLsewKLLsay67Dshux7BYsux3L7sKye7HsASx7GMsew7InsewZLHsey17Cslex7A0sexvL3sOyD7HsEyz7HMu+wrJvsewHLPsZy37Dsj+x7B8sG45lo7BsLJZNwLLJWDYNy2Zi2Rwsm49li4hOziryr8akZBf7f2NTc0r803Ebckv95/FpeWX+/YT0/HLfIDGjoMKHSMosrPQ1jKvySYyr9l2Mq/FxjKv1hYyr85mMq/etjGvwwYxr9NWMa/LpjGv2/Yxr8RGNa/UljWvzOY1r902N6/Bhjev0dY3r8omN6/adjevxsY3r9cWN6/PZjev37Y0b8AMYt9GvYNygn8K4TX4P44b8KMZt9ssEzs9jXITfyLhIP5RxUX4t46L9ZMbF+N2Mi/XjGRfnFzQu3s9oXILf0rhEjFuKcUkYtwLjkjFuNcalYNw6hk2at2q7vQ47iRFTFqzZYZ8jTmHk1IVrd9z3yFMZPX3x+p33P/p0xsxYssUuBxxzBuNmLdtqt4OOO4vxs5dvvfvBx5/NxLkrt93z0BPPRcx5iLkAMRci5mLEXIKYyxBzOWKuRMxViLkGMdci5nrE3ICYmxBzM2JuRcxtiLkDMXci5m7E3IOY+xBzP2IeRMxDiHkEMY8i5nHEPIGYpxDzNGKeRcxziHkBMS8i5mXEvIKY1xDzOmLeRMxbiHkHMe8i5n3EfICYjxDzMWI+RcxniPkCMV8i5mvEfIOY7xDzPWJ+RMxPiPkFMb8i5nfE/IGYvxDzN2L+RcwwxIxAzEjEjEbMGMSMQ8x4xExEzCTETEHMVMRMR8wMxMxCzGzEzEXMPMQsQMxCxCxGzBLELEPMcsSsRMwqxKxBzFrErP8PcIpMDvpAMvsAAAAASUVORK5CYII=';
const NOT_INTERLACED =
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAADICAAAAADwjP/jAAACn0lEQVR42jXOZ4MIBACA4ffs4zjn7HXH4c5Zd9bZm4xCNhmJCJnZe1NWZSs7W9lkj5CRmZ29Knvv4svr+QUPpAyPKVf70y4EhGSLLf9xy67ES5W9YIU6n3UjfmhEoYp1W31FgtQ5Cleq17o7CdPkLFK5/uc9SJQ2V9EqDdr0JHG6yLgPGrbtRZL0UcWqNvqiN4EZchev1rhdH5JmjC5RvUn7viTLlKdkjU869CMoc95SHzb9sj/Js+Qr/VGzjgNIkTV/mZrNOw0kOKxA2VotOg963xmMnSHYGYqdYdgZjp0R2BmJnVHYGY2dr7HzDXbGYGcsdsZhZzx2JmDnW+x8h53vsTMRO5OwMxk7U7AzFTvTsDMdOzOw8wN2fsTOTOzMws5s7MzBzlzszMPOfOz8hJ0F2FmInUXYWYydJdhZip1l2FmOnZ+x8wt2VmBnJXZWYWc1dtZgZy121mFnPXY2YOdX7GzEzibsbMbOFuxsxc427GzHzg7s7MTOLuz8hp3d2NmDnb3Y+R07+7CzHzsHsHMQO39g5xB2DmPnCHaOYucYdo5j50/snMDOSeycws5p7JzBzlnsnMPOX9g5j50L2LmInUvYuYydK9i5ip1r2LmOnRvYuYmdv7HzD3b+xc4t7NzGzh3s3MXOPezcx84D7DzEziPsPMbOE+w8xc4z7DzHzgvsvMTOK+y8xs4b7PyHnf+x85b3HewEYCceduJjJwF2EmInEXYSYycJdgKxkxQ7ybAThJ3k2EmBnWDspMROCHZSYScUO6mxkwY7abGTDjvpsZMBOxmxkwk7mbGTBTtZsROGnXDsZMNOduxEYCcHdnJiJxd2IrEThZ3c2InGTh7s5MVOPuzkx04B7MRgJxY7BbFTCDuFsVMEO0WxE/cOuetMDpQTPXEAAAAASUVORK5CYII=';

/** A PNG of rows that begin with their filter, in so many IDAT chunks, and with a chunk that nobody knows. */
function pngOf(
  [width, height, depth, colours]: readonly [number, number, number, number],
  rows: Buffer,
  { before = [], pieces = 1 }: { readonly before?: readonly Buffer[]; readonly pieces?: number } = {},
): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, depth, colours, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const packed = deflateSync(rows);
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

/** Rows of so many bytes behind their filter, 0 for not filtered. */
const rowsOf = (height: number, bytes: number) =>
  Buffer.from(Array.from({ length: height * (bytes + 1) }, (_, at) => (at % (bytes + 1) === 0 ? 0 : (at * 37) & 255)));

describe('a PNG', () => {
  test.each([8, 16] as const)('of %d bits has the pixels that its decoder finds without help', (depth) => {
    for (const channels of [1, 2, 3, 4] as const) {
      const [width, height] = [61, 43];
      const noise = createNoise(`${channels}`)(width * height * channels * 2);
      const smooth = noise.map((byte, at) => (at % 61) + (byte & 3));
      const data = depth === 8 ? smooth.subarray(0, smooth.length / 2) : new Uint16Array(smooth.buffer.slice(0));
      const file = Buffer.from(
        encodePng({ width, height, channels, depth, data: data.subarray(0, width * height * channels) }),
      );
      const { data: pixels, channels: found } = decode(file);
      expect(found).toBe(channels);
      expect(Array.from(pixels)).toEqual(Array.from(decodePng(file).data));
    }
  });

  test.each([1, 2, 4, 8])('of %d bits has its colours, and what is transparent', (depth) => {
    const [width, height] = [24, 5];
    const rows = rowsOf(height, (width * depth) / 8);
    const colours = Buffer.from(Array.from({ length: 3 * 2 ** depth }, (_, at) => (at * 11) & 255));
    const clear = Buffer.from([0, 128]);
    const size = [width, height, depth, 3] as const;
    const found = decode(pngOf(size, rows, { before: [chunk('PLTE', colours), chunk('tRNS', clear)] }));
    const [first = 0] = rows.subarray(1);
    const index = first >> (8 - depth);
    const alpha = index < clear.length ? clear[index] : 255;
    expect(Array.from(found.data).slice(0, 4)).toEqual([...colours.subarray(3 * index, 3 * index + 3), alpha]);
    const opaque = decode(pngOf(size, rows, { before: [chunk('PLTE', colours)] }));
    expect(opaque).toMatchObject({ width, height, channels: 3 });
    expect(Array.from(opaque.data).slice(0, 3)).toEqual([...colours.subarray(3 * index, 3 * index + 3)]);
    const grey = decode(pngOf([width, height, depth, 0], rows));
    expect(grey.data[0]).toBe(index);
    expect(grey.data).toHaveLength(width * height);
  });

  test('that is interlaced, or whose pixels come in several chunks, has the same as any other', () => {
    const [interlaced, plain] = [INTERLACED, NOT_INTERLACED].map((text) => decode(Buffer.from(text, 'base64')));
    expect(interlaced).toEqual(plain);
    expect(Array.from(plain?.data ?? []).slice(-8)).toEqual([199, 215, 231, 247, 7, 23, 39, 55]);
    const rows = rowsOf(9, 11);
    const { data } = decode(pngOf([11, 9, 8, 0], rows, { pieces: 7 }));
    expect(Buffer.from(Uint8Array.from(data))).toEqual(rows.filter((_, at) => at % 12 !== 0));
  });

  test('with a row too many has those of its size; with far more, without any, or with another header, it is not decoded', () => {
    const size = [11, 9, 8, 0] as const;
    expect(decode(pngOf(size, rowsOf(10, 11))).data).toEqual(decode(pngOf(size, rowsOf(9, 11))).data);
    expect(() => decode(pngOf(size, Buffer.alloc(100_000)))).toThrow('larger than');
    expect(() => decode(pngOf([0, 4_000_000_000, 8, 0], rowsOf(1, 0)))).toThrow('no pixels');
    const larger = pngOf([11, 90, 8, 0], rowsOf(90, 11)).subarray(8, 33);
    expect(() => decode(pngOf(size, rowsOf(9, 11), { before: [larger] }))).toThrow('not first and alone');
    expect(() => decode(pngOf(size, rowsOf(9, 11)).subarray(0, -12))).toThrow('ends before its last chunk');
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
