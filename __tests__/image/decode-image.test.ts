import { deflateSync } from 'node:zlib';
import { decode as decodePng, encode as encodePng } from 'fast-png';
import { describe, expect, test } from 'vitest';
import { createNoise } from '../../scripts/bench/images.ts';
import { chunk } from '../../scripts/sample/png.ts';
import { decodeImage } from '../../src/image/decode-image.ts';
import { packLzw } from '../helpers/lzw.ts';
import { tiffOf } from '../helpers/tiff.ts';

const noJpeg = () => {
  throw new Error('no JPEG');
};
const decode = (file: Buffer) => decodeImage(file, noJpeg);

/** 11 × 9, written by pypng, interlaced and not. */
const INTERLACED =
  'iVBORw0KGgoAAAANSUhEUgAAAAsAAAAJCAAAAAG2CLlnAAAAgUlEQVR4nAF2AIn/AACAABiYAEAAWAAMTIwAIGCgACxsrAA4eLgABiZGZoamABIyUnKSsgAQMFBwkAAWNlZ2lgAcPFx8nAAiQmKCogAoSGiIqAADEyMzQ1Njc4OTowAJGSk5SVlpeYmZqQAPHy8/T19vf4+frwAVJTVFVWV1hZWltXu3I5XYPzJLAAAAAElFTkSuQmCC';
const NOT_INTERLACED =
  'iVBORw0KGgoAAAANSUhEUgAAAAsAAAAJCAAAAADBD4nxAAAAd0lEQVR4nAFsAJP/AAAQIDBAUGBwgJCgAAMTIzNDU2Nzg5OjAAYWJjZGVmZ2hpamAAkZKTlJWWl5iZmpAAwcLDxMXGx8jJysAA8fLz9PX29/j5+vABIiMkJSYnKCkqKyABUlNUVVZXWFlaW1ABgoOEhYaHiImKi4504jlSwtEPcAAAAASUVORK5CYII=';

/** The IDAT chunks of a PNG deflated otherwise, in so many of them, and with a chunk that nobody knows. */
function repacked(file: Buffer, pixels: Buffer, pieces: number): Buffer {
  const packed = deflateSync(pixels);
  const length = Math.ceil(packed.length / pieces);
  const data = Array.from({ length: pieces }, (_, piece) => packed.subarray(piece * length, (piece + 1) * length));
  const parts = [chunk('noTe', Buffer.from('odd')), ...data.map((one) => chunk('IDAT', one))];
  return Buffer.concat([file.subarray(0, 33), ...parts, chunk('IEND', Buffer.alloc(0))]);
}

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

  test('that is interlaced, or whose pixels come in several chunks, has the same as any other', () => {
    const [interlaced, plain] = [INTERLACED, NOT_INTERLACED].map((text) => decode(Buffer.from(text, 'base64')));
    expect(interlaced).toEqual(plain);
    const header = Buffer.from(NOT_INTERLACED, 'base64').subarray(0, 33);
    const rows = Buffer.from(Array.from({ length: 9 * 12 }, (_, at) => (at % 12 === 0 ? 0 : at)));
    expect(decode(repacked(header, rows, 7)).data).toEqual(decode(repacked(header, rows, 1)).data);
    expect(decode(repacked(header, rows, 7)).data).toHaveLength(99);
  });

  test('with more pixels than its size says, or none, is not decoded', () => {
    const header = Buffer.from(NOT_INTERLACED, 'base64').subarray(0, 33);
    expect(() => decode(repacked(header, Buffer.alloc(100_000), 1))).toThrow('larger than');
    const empty = Buffer.from(NOT_INTERLACED, 'base64');
    empty.writeUInt32BE(0, 16);
    empty.writeUInt32BE(4_000_000_000, 20);
    expect(() => decode(empty)).toThrow('no pixels');
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

  test('whose pixels can’t be unpacked is not decoded', () => {
    const parts = [Buffer.from('no pixels at all')];
    for (const way of [5, 8]) {
      const tags = new Map([
        [256, 20],
        [257, 20],
        [258, 8],
        [259, way],
        [262, 1],
        [277, 1],
        [278, 20],
        [279, 16],
      ]);
      expect(() => decode(tiffOf(tags, { parts, partsTag: 273 }))).toThrow();
    }
  });
});
