import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildZip, numbers, type RawEntry } from './zip-builder.ts';

/** What stands in the addresses of the file list, and must be seen nowhere. */
export const TOKEN = 'FILE-TOKEN-4711';

/**
 * A picture of 6 × 4 pixels in one of many colours, as BMP: made of plain numbers, so that its bytes are the same on every
 * machine and with every version of a compression library.
 */
export function bmp(colour: number): Buffer {
  const [width, height] = [6, 4];
  const stride = width * 3 + 2;
  const pixels = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++)
      pixels.writeUIntLE((colour * 2_654_435 + x * 40 + y) % 2 ** 24, y * stride + x * 3, 3);
  }
  return Buffer.concat([
    Buffer.from('BM'),
    numbers([4, 54 + pixels.length], [4, 0], [4, 54]),
    numbers([4, 40], [4, width], [4, height], [2, 1], [2, 24], [4, 0], [4, pixels.length], [8, 0], [8, 0]),
    pixels,
  ]);
}

function pictures(count: number, from: number, nameOf: (index: number) => string): RawEntry[] {
  return Array.from({ length: count }, (_, index) => ({ name: nameOf(index), data: bmp(from + index) }));
}

const pad = (index: number) => String(index).padStart(2, '0');

/** Three zips of two labels, with what real ones have: nested folders, system files, a copy, another spelling. */
const ZIPS: Readonly<Record<string, readonly RawEntry[]>> = {
  'hannaea-1.zip': [
    ...pictures(6, 0, (index) => `Hannaea/slide 1/${pad(index)}.bmp`),
    ...pictures(6, 10, (index) => `Hannaea/slide 2/${pad(index)}.bmp`),
    { name: 'Hannaea/.DS_Store', data: 'x' },
    { name: '__MACOSX/Hannaea/slide 1/._00.bmp', data: 'x' },
    { name: 'Hannaea/readme.txt', data: 'How we took them' },
  ],
  'hannaea-2.zip': [
    ...pictures(8, 30, (index) => `ä/s${index % 3}_${pad(index)}.BMP`),
    { name: 'ä/s1_copy of 03 in hannaea-1.BMP', data: bmp(3) },
  ],
  'gomphonema.zip': [
    ...pictures(9, 50, (index) => `export/Gomphonema/s${index % 4}_${pad(index)}.bmp`),
    { name: 'export/Gomphonema/s1_broken.png', data: 'no picture' },
    { name: 'export/other/99.bmp', data: bmp(99) },
  ],
};

/** Images of the data set, and how many of them `n-test: 3` sends to test: three of each zip, and the copy with its twin. */
export const IMAGES = 31;

/** Writes the zips into a folder. Their bytes are the same everywhere. */
export function writeTinyDataSet(folder: string): void {
  for (const [name, entries] of Object.entries(ZIPS)) writeFileSync(join(folder, name), buildZip({ entries }));
}

/** Entries of the file list for the zips, served below `url`, which ends in `/`. */
export function tinyFileList(url: string) {
  const entry = (name: string, folder: string, label: string) => ({
    file_url: `${url}${name}?token=${TOKEN}`,
    downloaded_file_name: name,
    exploded_folder_name: folder,
    species_label: label,
  });
  return [
    entry('hannaea-1.zip', 'Hannaea', 'Hannaea'),
    entry('hannaea-2.zip', 'a\u0308', 'Hannaea'),
    entry('gomphonema.zip', 'gomphonema', 'Gomphonema'),
  ];
}
