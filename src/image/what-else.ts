import { type ImageBytes, PIECE_BYTES } from './image-bytes.ts';

/** What a file is that has an image's name but none of the known formats. */
export interface OtherContent {
  /** The rest of “it …”. */
  readonly sentence: string;
  /** Whether no ending makes an image of it. */
  readonly isNeverAnImage: boolean;
}

/** So much is looked at for the beginning of a text. */
const HEAD_BYTES = 512;

/** Brands of ISO media files (ISO/IEC 14496-12, 4.3) that are pictures, such as HEIF's (23008-12, annex B). */
const PICTURE_BRANDS: Readonly<Record<string, readonly [kind: string, isNeverAnImage: boolean]>> = {
  ...brandsOf('a HEIC image', ['heic', 'heix', 'hevc', 'heim', 'heis']),
  ...brandsOf('a HEIF image', ['mif1', 'msf1']),
  ...brandsOf('an AVIF image', ['avif', 'avis']),
  ...brandsOf('a raw image of a camera', ['crx ']),
  ...brandsOf('a JPEG 2000 image', ['jp2 ', 'jpx ']),
};

function brandsOf(kind: string, brands: readonly string[]) {
  return Object.fromEntries(brands.map((brand) => [brand, [kind, false] as const]));
}

const SIGNATURES: readonly (readonly [signature: string, kind: string, isNeverAnImage: boolean])[] = [
  ['PK\x03\x04', 'a zip', true],
  ['BZh', 'a bzip2 file', true],
  ['\xfd7zXZ', 'an xz file', true],
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
  ['DDS ', 'a DirectDraw texture', false],
  ['SIMPLE  =', 'a FITS image', false],
  ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'a document of Office, or a microscope’s file of its kind', false],
  ['ZISRAWFILE', 'a CZI file of ZEISS', false],
  ['L\0\0\0\x01\x14\x02\0', 'a shortcut of Windows and not the image itself', true],
  ['book\0\0\0\0mark', 'an alias of macOS and not the image itself', true],
  ['<svg', 'an SVG drawing', false],
];

/** @returns `undefined` for what is not recognised */
export function whatElse(bytes: ImageBytes): OtherContent | undefined {
  if (bytes.length === 0) return { sentence: 'is empty', isNeverAnImage: true };
  if (isZeros(bytes)) return { sentence: 'holds nothing but zeros', isNeverAnImage: true };
  const data = bytes.slice(0, HEAD_BYTES);
  const head = data.toString('latin1');
  if (head.startsWith('version https://git-lfs.github.com/spec/')) {
    return {
      sentence: 'is a pointer of Git LFS and not the image itself: download it with git lfs pull',
      isNeverAnImage: true,
    };
  }
  if (/^\S*(\.git|git)?\/annex\/objects\//.test(head)) {
    return {
      sentence: 'is a pointer of git-annex (DataLad) and not the image itself: download it with git annex get',
      isNeverAnImage: true,
    };
  }
  const text = beginningOf(data);
  if (/^(<!--.*?-->\s*)*(<!doctype html|<html|<head|<body)/is.test(text)) {
    return { sentence: 'is a web page', isNeverAnImage: true };
  }
  if (/^<\?xml/i.test(text) && /<svg/i.test(text)) return named('an SVG drawing', false);
  if (/^(<\?xml|\{")/i.test(text)) return named('a text', true);
  if (head.slice(128, 132) === 'DICM') return named('a DICOM file', false);
  if (head.slice(4, 8) === 'ftyp') return named(...(PICTURE_BRANDS[head.slice(8, 12)] ?? ['a video', true]));
  const known = SIGNATURES.find(([signature]) => head.startsWith(signature));
  if (known) return named(known[1], known[2]);
  const [quoted] = /^[ -~]{1,40}/.exec(text) ?? [];
  return isText(head) && quoted !== undefined ? named(`a text (“${quoted.trimEnd()}”)`, false) : undefined;
}

const ZEROS = Buffer.alloc(PIECE_BYTES);

function isZeros(bytes: ImageBytes): boolean {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.slice(at, at + PIECE_BYTES);
    if (!piece.equals(ZEROS.subarray(0, piece.length))) return false;
  }
  return true;
}

/** Of a text, in whatever encoding a mark names. */
function beginningOf(head: Buffer): string {
  const isUtf16 = head[0] === 0xff && head[1] === 0xfe;
  return (
    isUtf16 ? head.toString('utf16le').slice(1) : head.toString('latin1').replace(/^\xef\xbb\xbf/, '')
  ).trimStart();
}

/** Whether there is nothing but characters. */
function isText(head: string): boolean {
  return /^[\t\n\r -~]+$/.test(head);
}

function named(kind: string, isNeverAnImage: boolean): OtherContent {
  return { sentence: `is ${kind}`, isNeverAnImage };
}
