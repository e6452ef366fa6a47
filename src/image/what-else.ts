/** What a file is that has an image's name and is none of the known formats. */
export interface OtherContent {
  /** The rest of “it …”. */
  readonly sentence: string;
  /** Whether no ending makes an image of it. */
  readonly isNeverAnImage: boolean;
}

/** So much is looked at for the beginning of a text. */
const HEAD_BYTES = 512;

/** Brands of ISO media files (ISO/IEC 14496-12, 4.3) that are pictures: HEIF's (23008-12, annex B) and AVIF's. */
const HEIF_BRANDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['heic', 'heix', 'hevc', 'heim', 'heis'].map((brand) => [brand, 'a HEIC image'])),
  ...Object.fromEntries(['mif1', 'msf1'].map((brand) => [brand, 'a HEIF image'])),
  ...Object.fromEntries(['avif', 'avis'].map((brand) => [brand, 'an AVIF image'])),
};

const SIGNATURES: readonly (readonly [signature: string, kind: string, isNeverAnImage: boolean])[] = [
  ['PK\x03\x04', 'a zip', true],
  ['%PDF', 'a PDF document', true],
  ['\x1f\x8b', 'a gzip file', true],
  ['Rar!', 'a RAR archive', true],
  ['7z\xbc\xaf', 'a 7z archive', true],
  ['MZ', 'a Windows program', true],
  ['\x7fELF', 'a program', true],
  ['SQLite format 3', 'a database', true],
  ['\x00\x05\x16\x07', 'metadata of macOS (AppleDouble)', true],
  ['\x00\x00\x00\x0cjP  ', 'a JPEG 2000 image', false],
  ['\xff\x4f\xff\x51', 'a JPEG 2000 image', false],
  ['\xff\x0a', 'a JPEG XL image', false],
  ['\x00\x00\x00\x0cJXL ', 'a JPEG XL image', false],
  ['8BPS', 'a Photoshop file', false],
  ['gimp xcf', 'a GIMP file', false],
  ['<svg', 'an SVG drawing', false],
];

/** @returns `undefined` for what is not recognised */
export function whatElse(data: Buffer): OtherContent | undefined {
  if (data.length === 0) return { sentence: 'is empty', isNeverAnImage: true };
  if (data.every((byte) => byte === 0)) return { sentence: 'holds nothing but zeros', isNeverAnImage: true };
  const head = data.toString('latin1', 0, HEAD_BYTES);
  if (head.startsWith('version https://git-lfs.github.com/spec/')) {
    return {
      sentence: 'is a pointer of Git LFS and not the image itself: download it with git lfs pull',
      isNeverAnImage: true,
    };
  }
  const text = head.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (/^(<!doctype html|<html|<head|<body)/i.test(text)) return { sentence: 'is a web page', isNeverAnImage: true };
  if (/^<\?xml/i.test(text) && /<svg/i.test(text)) return named('an SVG drawing', false);
  if (/^(<\?xml|\{")/i.test(text)) return named('a text', true);
  const brand = head.slice(4, 8) === 'ftyp' ? HEIF_BRANDS[head.slice(8, 12)] : undefined;
  if (brand !== undefined) return named(brand, false);
  const known = SIGNATURES.find(([signature]) => head.startsWith(signature));
  return known && named(known[1], known[2]);
}

function named(kind: string, isNeverAnImage: boolean): OtherContent {
  return { sentence: `is ${kind}`, isNeverAnImage };
}
