import { encode as encodePng16 } from 'fast-png';
import { describe, expect, test } from 'vitest';
import { createNoise } from '../../scripts/bench/images.ts';
import type { Picture } from '../../scripts/sample/png.ts';
import { nearGroups } from '../../src/dataset/near-duplicates.ts';
import { createPerceptualHash, HASH_WORDS, hashOf as hashOfPixels } from '../../src/image/perceptual-hash.ts';
import { asJpeg, asPng, changed, doubled, drawing, halved, mirrored, turned } from '../helpers/drawings.ts';

const hashOf = createPerceptualHash();

/** Whether two image files are taken for one. */
function looksLike(a: Buffer, b: Buffer): boolean {
  const hashes = new Uint32Array(2 * HASH_WORDS);
  for (const [at, file] of [a, b].entries()) hashes.set(hashOf(file) ?? [], at * HASH_WORDS);
  return nearGroups(hashes, new Uint8Array(2))[1] === 0;
}

const CHANGES: Readonly<Record<string, (picture: Picture) => Buffer>> = {
  'saved as JPEG of low quality': (picture) => asJpeg(picture, 30),
  'half its size': (picture) => asPng(halved(picture)),
  'twice its size, saved as JPEG': (picture) => asJpeg(doubled(picture)),
  brighter: (picture) => asPng(changed(picture, (value) => value * 1.2)),
  'darker, saved as JPEG': (picture) => asJpeg(changed(picture, (value) => value * 0.7)),
  'of less contrast': (picture) => asPng(changed(picture, (value) => 128 + (value - 128) * 0.6)),
  'turned by a quarter': (picture) => asPng(turned(picture)),
  'turned by three quarters, saved as JPEG': (picture) => asJpeg(turned(turned(turned(picture)))),
  mirrored: (picture) => asPng(mirrored(picture)),
  'mirrored and turned, saved as JPEG': (picture) => asJpeg(turned(mirrored(picture))),
};

describe('an image looks like itself', () => {
  for (const [name, change] of Object.entries(CHANGES)) {
    test(name, () => {
      const missed = Array.from({ length: 14 }, (_, number) => number).filter((number) => {
        const picture = drawing(number);
        return !looksLike(asPng(picture), change(picture));
      });
      expect(missed).toEqual([]);
    });
  }

  test('with 16 bits', () => {
    const picture = { ...drawing(0), channels: 1 as const };
    const grey = Uint8Array.from({ length: picture.width * picture.height }, (_, at) => picture.pixels[at] ?? 0);
    const { width, height } = picture;
    const deep = encodePng16({
      width,
      height,
      channels: 1,
      depth: 16,
      data: Uint16Array.from(grey, (value) => value * 16),
    });
    expect(looksLike(Buffer.from(deep), asPng({ ...picture, pixels: grey }))).toBe(true);
  });
});

test('what is the same from all four corners looks like no other, and like itself upside down from two', () => {
  const [side, half, count] = [64, 32, 40];
  const folded = (at: number) => Math.min(at, side - 1 - at);
  const grey = (noise: Buffer, value: (x: number, y: number) => number) => {
    const data = Uint8Array.from(
      { length: side * side },
      (_, at) => noise[value(at % side, Math.floor(at / side))] ?? 0,
    );
    return hashOfPixels({ width: side, height: side, channels: 1, data, black: 0, white: 255 }) ?? [];
  };
  const noises = Array.from({ length: count }, (_, number) => createNoise(String(number))(side * half));
  const groups = (hashes: readonly ArrayLike<number>[]) => {
    const all = new Uint32Array(hashes.length * HASH_WORDS);
    for (const [at, hash] of hashes.entries()) all.set(hash, at * HASH_WORDS);
    return nearGroups(all, new Uint8Array(hashes.length));
  };
  const fromCorners = noises.map((noise) => grey(noise, (x, y) => folded(y) * half + folded(x)));
  expect(groups(fromCorners).filter((first, image) => first === image)).toHaveLength(count);
  const pairs = noises.filter((noise) => {
    const upright = grey(noise, (x, y) => y * half + folded(x));
    return groups([upright, grey(noise, (x, y) => (side - 1 - y) * half + folded(x))])[1] === 0;
  });
  expect(pairs.length).toBeGreaterThan(count / 2);
});

test('specimens of seven species look like no other', () => {
  const hashes = new Uint32Array(140 * HASH_WORDS);
  for (let number = 0; number < 140; number++) hashes.set(hashOf(asPng(drawing(number))) ?? [], number * HASH_WORDS);
  const alone = nearGroups(hashes, new Uint8Array(140)).filter((first, image) => first === image);
  expect(alone).toHaveLength(140);
});

test('what shows nothing, and what can’t be decoded, looks like nothing', () => {
  const plain = changed(drawing(1), () => 200);
  expect(hashOf(asPng(plain))).toBeUndefined();
  expect(hashOf(asJpeg(plain))).toBeUndefined();
  expect(hashOf(Buffer.from('no image'))).toBeUndefined();
  const data = Float32Array.from({ length: 4_096 }, (_, at) => (at === 9 ? Number.NaN : at % 64));
  expect(hashOfPixels({ width: 64, height: 64, channels: 1, data, black: 0, white: 63 })).toBeUndefined();
});

test('a JPEG that can’t be decoded changes nothing for the next one', () => {
  const whole = asJpeg(drawing(2));
  const before = hashOf(whole);
  const head = whole.subarray(0, 300);
  const odd = Buffer.from(whole);
  // Of no kind that exists: the frame header says twelve bits.
  odd[odd.indexOf(Buffer.from([0xff, 0xc0])) + 4] = 12;
  const cut = whole.subarray(0, -200);
  for (const broken of [head, cut, odd, Buffer.from([0xff, 0xd8, 0xff])]) expect(hashOf(broken)).toBeUndefined();
  expect(hashOf(whole)).toEqual(before);
  expect(before).toBeDefined();
});
