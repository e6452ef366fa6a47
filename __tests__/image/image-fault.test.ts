import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bytesInMemory, bytesOfFile } from '../../src/image/image-bytes.ts';
import { imageFault as faultOfBytes } from '../../src/image/image-fault.ts';
import { tiffSize } from '../../src/image/tiff.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { numbers } from '../helpers/zip-builder.ts';
import { SAMPLES } from './samples.ts';

let file: number;

beforeEach(() => {
  file = openSync(join(temporaryFolder('image-fault'), 'image'), 'w+');
});

afterEach(() => closeSync(file));

/** Of an image in memory, which is that of one on the disk, where the pieces that are read may end anywhere. */
function imageFault(data: Buffer, ending: string): string | undefined {
  const fault = faultOfBytes(bytesInMemory(data), ending);
  ftruncateSync(file);
  writeSync(file, data, 0, data.length, 0);
  for (const pieceBytes of [13, 2 ** 16]) {
    expect(faultOfBytes(bytesOfFile(file, data.length, pieceBytes), ending)).toBe(fault);
  }
  return fault;
}

const pictures = Object.entries(SAMPLES).map(([kind, text]) => {
  const ending = /^(png|jpg|tif|bmp|gif|webp)/.exec(kind)?.[1] ?? '';
  return [kind, ending, Buffer.from(text, 'base64')] as const;
});
const png = Buffer.from(SAMPLES.png, 'base64');
const jpg = Buffer.from(SAMPLES.jpg, 'base64');
/** Of the first segment after the start. */
const segmentEnd = 4 + jpg.readUInt16BE(4);

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const big = (value: number) => numbers([4, value]).reverse();
  return Buffer.concat([big(data.length), body, big(crc32(body))]);
}

function pngOf(width: number, height: number): Buffer {
  const big = (value: number) => numbers([4, value]).reverse();
  const header = Buffer.concat([big(width), big(height), Buffer.from([8, 2, 0, 0, 0])]);
  return Buffer.concat([
    png.subarray(0, 8),
    chunk('IHDR', header),
    chunk('IDAT', Buffer.alloc(50, 1)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

describe('a whole image has no fault', () => {
  test.each(pictures)('%s', (_, ending, data) => {
    expect(imageFault(data, ending)).toBeUndefined();
  });

  test.each(pictures)(
    '%s, also with bytes after its end and under the ending of another format',
    (_, _ending, data) => {
      expect(imageFault(Buffer.concat([data, Buffer.from('more')]), 'png')).toBeUndefined();
    },
  );

  test.each([
    ['two in one file', Buffer.concat([jpg, jpg])],
    [
      'bytes between two segments',
      Buffer.concat([jpg.subarray(0, segmentEnd), Buffer.from('junk'), jpg.subarray(segmentEnd)]),
    ],
    ['several marks before a segment', Buffer.concat([jpg.subarray(0, 2), Buffer.from([0xff, 0xff]), jpg.subarray(2)])],
  ])('JPEG with %s', (_, data) => {
    expect(imageFault(data, 'jpg')).toBeUndefined();
  });
});

describe('an image that is cut short anywhere is found', () => {
  test.each(pictures)('%s', (kind, ending, data) => {
    // Decoders do without the bytes that fill up the last row.
    const spared = kind.startsWith('bmp') ? 3 : 0;
    for (let length = 0; length < data.length - spared; length++) {
      expect(imageFault(data.subarray(0, length), ending), `${length} of ${data.length} bytes`).toBeDefined();
    }
    expect(imageFault(data.subarray(0, data.length / 2), ending)).toBe('is cut short');
  });

  test('the end may be there in what a camera has put before the picture', () => {
    const thumbnail = Buffer.concat([Buffer.from([0xff, 0xe1]), numbers([2, jpg.length + 2]).reverse(), jpg]);
    const whole = Buffer.concat([jpg.subarray(0, 2), thumbnail, jpg.subarray(2)]);
    expect(imageFault(whole, 'jpg')).toBeUndefined();
    expect(imageFault(whole.subarray(0, -20), 'jpg')).toBe('is cut short');
  });
});

describe('a damaged image is found', () => {
  test('by the checksum of any byte of a PNG', () => {
    for (let at = 8; at < png.length; at++) {
      const flipped = Buffer.from(png);
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      expect(imageFault(flipped, 'png'), `byte ${at}`).toBeDefined();
    }
  });

  test.each([
    ['no width', pngOf(0, 10), 'says that it has 0 × 10 pixels'],
    [
      'more pixels than it can hold',
      pngOf(60_000, 60_000),
      'says that it has 60000 × 60000 pixels, and is too small for them',
    ],
    ['no pixels', Buffer.concat([jpg.subarray(0, 2), Buffer.from([0xff, 0xd9])]), 'holds no pixels'],
  ])('with %s', (_, data, fault) => {
    expect(imageFault(data, 'png')).toBe(fault);
  });
});

/** A grey JPEG of one even area, with tables of one code each: two bits a block, all zeros. */
function evenJpeg(sides: number, acSymbol = 0): Buffer {
  const [high, low] = [sides >> 8, sides & 0xff];
  const oneCode = (table: number, symbol: number) => [
    0xff,
    0xc4,
    0,
    20,
    table,
    1,
    ...Array<number>(15).fill(0),
    symbol,
  ];
  return Buffer.concat([
    Buffer.from([0xff, 0xd8, 0xff, 0xdb, 0, 67, 0, ...Array<number>(64).fill(1)]),
    Buffer.from([0xff, 0xc0, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0]),
    Buffer.from([...oneCode(0, 0), ...oneCode(0x10, acSymbol), 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]),
    Buffer.alloc((Math.ceil(sides / 8) ** 2 * 2) / 8),
    Buffer.from([0xff, 0xd9]),
  ]);
}

const zeros = 'was not written to its end: it goes on with zeros';

describe('a file that was not written to its end, and still has its full length, is found', () => {
  test('a JPEG by more zeros than its pixels need', () => {
    expect(imageFault(Buffer.concat([jpg.subarray(0, -2), Buffer.alloc(600), jpg.subarray(-2)]), 'jpg')).toBe(zeros);
    expect(imageFault(Buffer.concat([jpg.subarray(0, -2), Buffer.alloc(600)]), 'jpg')).toBeDefined();
  });

  test('but not an even area, of which a JPEG may make zeros too', () => {
    expect(imageFault(evenJpeg(2_048), 'jpg')).toBeUndefined();
    expect(imageFault(evenJpeg(2_048, 1), 'jpg')).toBe(zeros);
  });

  test('a TIFF by a packed strip that begins with zeros, or a directory that was never written', () => {
    expect(imageFault(Buffer.concat([Buffer.from('II*\0'), Buffer.alloc(500)]), 'tif')).toBe('holds no pixels');
    // Its one strip begins after the header.
    const packed = Buffer.from(SAMPLES.tifLzw, 'base64');
    expect(imageFault(Buffer.from(packed).fill(0, 8, 100), 'tif')).toBe(zeros);
  });

  test('a WebP by the start of its picture, and by zeros at its end', () => {
    const webp = Buffer.from(SAMPLES.webp, 'base64');
    expect(imageFault(Buffer.from(webp).fill(0, 20), 'webp')).toBe('is damaged: its picture does not begin like one');
    // Of its first picture.
    const lossy = (content: Buffer) => {
      const head = Buffer.from('....\x9d\x01\x2a\x06\0\x05\0', 'latin1').subarray(1);
      const picture = Buffer.concat([head, content]);
      const sizes = [picture.length + 12, picture.length].map((size) => Buffer.from(Uint32Array.of(size).buffer));
      const [all = webp, own = webp] = sizes;
      return Buffer.concat([Buffer.from('RIFF'), all, Buffer.from('WEBPVP8 '), own, picture]);
    };
    expect(imageFault(lossy(Buffer.alloc(600, 1)), 'webp')).toBeUndefined();
    expect(imageFault(lossy(Buffer.alloc(600).fill(1, 0, 100).fill(1, 500)), 'webp')).toBe(zeros);
    expect(imageFault(lossy(Buffer.from('x\r\n'.repeat(20))), 'webp')).toContain('was copied as a text');
    expect(imageFault(lossy(Buffer.from('x\r\ny\n'.repeat(20))), 'webp')).toBeUndefined();
    const longer = Buffer.concat([webp, Buffer.alloc(600)]);
    longer.writeUInt32LE(longer.length - 8, 4);
    longer.writeUInt32LE(longer.length - 20, 16);
    expect(imageFault(longer, 'webp')).toBe(zeros);
  });
});

describe('a part of an image that makes no sense is found', () => {
  const png8 = (header: readonly number[], ...parts: Buffer[]) =>
    Buffer.concat([
      png.subarray(0, 8),
      chunk('IHDR', Buffer.from([0, 0, 0, 4, 0, 0, 0, 4, ...header, 0, 0, 0])),
      ...parts,
      chunk('IEND', Buffer.alloc(0)),
    ]);
  const pixels = chunk('IDAT', deflateSync(Buffer.alloc(4 * 13)));
  const bmp = Buffer.from(SAMPLES.bmp, 'base64');

  test.each([
    ['a PNG whose pixels are not packed', png8([8, 2], chunk('IDAT', Buffer.alloc(90, 7))), 'are not packed as'],
    ['a PNG with samples of 7 bits', png8([7, 2], pixels), 'its kind of colours does not exist'],
    ['a PNG without its palette', png8([8, 3], pixels), 'lacks its palette'],
    ['a BMP with pixels of no bits', Buffer.concat([bmp.subarray(0, 28), Buffer.alloc(2), bmp.subarray(30)]), '0 bits'],
    [
      'a JPEG with a Huffman table that is a byte longer',
      Buffer.concat([
        jpg.subarray(0, 2),
        Buffer.from([0xff, 0xc4, 0, 21, 0, 1, ...Array<number>(17).fill(0)]),
        jpg.subarray(2),
      ]),
      'a part of it has a wrong length',
    ],
    [
      'a JPEG that was copied as a text',
      Buffer.concat([jpg, Buffer.from('\r\n'.repeat(20))]).filter((byte, at, all) => byte !== 10 || all[at - 1] === 13),
      'was copied as a text',
    ],
  ])('%s', (_, data, fault) => {
    expect(imageFault(Buffer.from(data), 'png')).toContain(fault);
  });

  test('a PNG with a palette has none of these faults', () => {
    expect(imageFault(png8([8, 3], chunk('PLTE', Buffer.alloc(6)), pixels), 'png')).toBeUndefined();
  });
});

describe('what is no image is called what it is', () => {
  test.each([
    ['', 'is empty'],
    ['\0'.repeat(100), 'holds nothing but zeros'],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:4d', 'is a pointer of Git LFS'],
    ['<!DOCTYPE html><html>', 'is a web page'],
    ['\xef\xbb\xbf\n<html lang="en">', 'is a web page'],
    ['<?xml version="1.0"?><Error>', 'is a text'],
    ['{"error":"no"}', 'is a text'],
    ['PK\x03\x04', 'is a zip'],
    ['%PDF-1.7', 'is a PDF document'],
    ['\0\0\0\x18ftypheic', 'is a HEIC image'],
    ['\0\0\0\x1cftypavif', 'is an AVIF image'],
    ['\0\0\0\x0cjP  \r\n', 'is a JPEG 2000 image'],
    ['BM', 'is cut short'],
    ['<!-- made by x -->\n<!DOCTYPE html>', 'is a web page'],
    ['\xff\xfe<\0h\0t\0m\0l\0>\0', 'is a web page'],
    ['404: Not Found', 'is a text (“404: Not Found”)'],
    ['/annex/objects/SHA256E-s12--4d.jpg\n', 'is a pointer of git-annex'],
    ['../../.git/annex/objects/0a/1b/MD5E-s2.jpg', 'is a pointer of git-annex'],
    ['\0\0\0\x18ftypmp42', 'is a video'],
    [`${'\0'.repeat(128)}DICM\x02`, 'is a DICOM file'],
    ['L\0\0\0\x01\x14\x02\0', 'is a shortcut of Windows'],
    ['\x8f nothing known', 'is no image: it begins with none of the marks of JPG'],
  ])('%j under .jpg: it %s', (text, fault) => {
    expect(imageFault(Buffer.from(text, 'latin1'), 'jpg')).toContain(fault);
  });

  test.each(['\0\0\0\x18ftypheic', '\0\0\0\x0cjP  \r\n', 'P6 6 5 255 ', 'nothing known'])(
    '%j under an ending whose rules are not known here is left to whoever wants it',
    (text) => {
      expect(imageFault(Buffer.from(text, 'latin1'), 'xyz')).toBeUndefined();
    },
  );

  test.each(['<html>', '', 'PK\x03\x04', 'version https://git-lfs.github.com/spec/v1'])(
    '%j is no image under any ending',
    (text) => {
      expect(imageFault(Buffer.from(text, 'latin1'), 'xyz')).toBeDefined();
    },
  );
});

describe('of an image that is too large to be held in memory, the same is found', () => {
  const LENGTH = 300e6;
  const tif = Buffer.from(SAMPLES.tif, 'base64');
  const tifLzw = Buffer.from(SAMPLES.tifLzw, 'base64');

  /** A sparse file of which only some parts are written. */
  function faultOf(ending: string, parts: readonly (readonly [at: number, data: Buffer])[], length = LENGTH) {
    ftruncateSync(file);
    for (const [at, data] of parts) writeSync(file, data, 0, data.length, at);
    ftruncateSync(file, length);
    const bytes = bytesOfFile(file, length);
    return { fault: faultOfBytes(bytes, ending), size: tiffSize(bytes) };
  }

  /** A TIFF of 6 × 5 pixels whose directory stands at its end, behind a strip that takes all before it. */
  function longTiff(sample: Buffer): { parts: [number, Buffer][]; stripBytesAt: number } {
    const directory = sample.readUInt32LE(4);
    const entries = sample.readUInt16LE(directory);
    const end = LENGTH - 6 - 12 * entries;
    const moved = Buffer.from(sample.subarray(directory, directory + 6 + 12 * entries));
    let stripBytesAt = 0;
    for (let at = 2; at < 2 + 12 * entries; at += 12) {
      if (moved.readUInt16LE(at) === 273) moved.writeUInt32LE(8, at + 8);
      if (moved.readUInt16LE(at) !== 279) continue;
      moved.writeUInt16LE(4, at + 2);
      moved.writeUInt32LE(end - 8, at + 8);
      stripBytesAt = end + at + 8;
    }
    const head = Buffer.from(sample.subarray(0, 8));
    head.writeUInt32LE(end, 4);
    return {
      parts: [
        [0, head],
        [8, Buffer.from('\x80\x00')],
        [end, moved],
      ],
      stripBytesAt,
    };
  }

  test('a TIFF with its directory at the end, which tells its size too', () => {
    const { parts, stripBytesAt } = longTiff(tif);
    expect(faultOf('tif', parts)).toEqual({ fault: undefined, size: { width: 6, height: 5 } });
    expect(faultOf('tif', parts, LENGTH - 1)).toMatchObject({ fault: 'is cut short' });
    const longer = Buffer.alloc(4);
    longer.writeUInt32LE(LENGTH);
    expect(faultOf('tif', [...parts, [stripBytesAt, longer]])).toMatchObject({ fault: 'is cut short' });
    expect(faultOf('tif', [[0, Buffer.from('II*\0')]])).toEqual({ fault: 'holds no pixels', size: undefined });
  });

  test('a packed TIFF that was not written to its end', () => {
    const { parts, stripBytesAt } = longTiff(tifLzw);
    const short = [stripBytesAt, Buffer.from([2, 0, 0, 0])] as const;
    expect(faultOf('tif', [...parts, short]).fault).toBeUndefined();
    expect(faultOf('tif', [...parts, short, [8, Buffer.alloc(2)]]).fault).toBe(zeros);
    // It begins as it should, and goes on with nothing.
    expect(faultOf('tif', parts).fault).toBe(zeros);
  });

  test('a TIFF with a value for each of a million strips', () => {
    const { parts, stripBytesAt } = longTiff(tif);
    const many = Buffer.alloc(8);
    many.writeUInt32LE(1e6);
    // The values are read in the middle of the file, where all is zero: strips of nothing, at the beginning.
    many.writeUInt32LE(1e6, 4);
    expect(faultOf('tif', [...parts, [stripBytesAt - 4, many]]).fault).toBeUndefined();
  });

  test('a PNG by the checksum of a part that is long', () => {
    const pixels = Buffer.alloc(3e6, 1);
    pixels.writeUInt16BE(0x7801);
    const header = chunk('IHDR', Buffer.from([0, 0, 4, 0, 0, 0, 4, 0, 8, 2, 0, 0, 0]));
    const whole = Buffer.concat([png.subarray(0, 8), header, chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
    expect(faultOf('png', [[0, whole]], whole.length).fault).toBeUndefined();
    expect(faultOf('png', [[0, whole]], whole.length - 1).fault).toBe('is cut short');
    expect(
      faultOf(
        'png',
        [
          [0, whole],
          [2e6, Buffer.from('x')],
        ],
        whole.length,
      ).fault,
    ).toContain('part "IDAT" is wrong');
  });

  test('a JPEG that goes on with zeros, with and without an end', () => {
    expect(faultOf('jpg', [[0, jpg.subarray(0, 100)]]).fault).toBe('is cut short');
    expect(faultOf('jpg', [[0, jpg.subarray(0, -2)]]).fault).toBe(zeros);
    expect(
      faultOf('jpg', [
        [0, jpg.subarray(0, -2)],
        [LENGTH - 2, jpg.subarray(-2)],
      ]).fault,
    ).toBe(zeros);
    expect(faultOf('jpg', [[0, jpg]]).fault).toBeUndefined();
  });

  test('a BMP, a GIF and a WebP that are cut short, and zeros', () => {
    const bmp = Buffer.from(SAMPLES.bmp, 'base64');
    bmp.writeInt32LE(10_000, 18);
    bmp.writeInt32LE(10_000, 22);
    expect(faultOf('bmp', [[0, bmp]], 54 + 3e8).fault).toBeUndefined();
    expect(faultOf('bmp', [[0, bmp]], 54 + 3e8 - 1).fault).toBe('is cut short');
    const gif = Buffer.from(SAMPLES.gif, 'base64');
    expect(faultOf('gif', [[0, gif.subarray(0, -1)]]).fault).toBe('is damaged: a part of it begins in the middle');
    const webp = Buffer.from(SAMPLES.webp, 'base64');
    webp.writeUInt32LE(LENGTH, 4);
    expect(faultOf('webp', [[0, webp]]).fault).toBe('is cut short');
    expect(faultOf('tif', []).fault).toBe('holds nothing but zeros');
    expect(faultOf('tif', [[LENGTH - 1, Buffer.from('x')]]).fault).toContain('is no image');
  });
});
