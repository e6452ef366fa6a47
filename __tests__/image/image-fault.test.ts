import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { imageFault } from '../../src/image/image-fault.ts';
import { numbers } from '../helpers/zip-builder.ts';
import { SAMPLES } from './samples.ts';

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
    ['nothing known', 'is no image: it begins with none of the marks of JPG'],
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
