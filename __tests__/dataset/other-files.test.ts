import { describe, expect, test } from 'vitest';
import { addEndings, type Ending, endingWarnings, requireImages } from '../../src/dataset/other-files.ts';
import { failureOf } from '../helpers/failure.ts';

const EXTENSIONS = ['jpg', 'png'];

function label(images: number, others: Readonly<Record<string, number>>) {
  const counted = new Map<string, Ending>();
  for (const [ending, count] of Object.entries(others)) {
    const places = Array.from({ length: count }, (_, index) => ({ ending, place: `h.zip: ${index}.${ending}` }));
    addEndings(counted, places);
  }
  return { label: 'Hannaea', zipNames: ['h.zip'], images, others: [...counted.values()] };
}
const warnings = (...given: Parameters<typeof label>) => endingWarnings([label(...given)], EXTENSIONS);

describe('files that are left out because of their ending', () => {
  test('are a warning with ending, number, examples and the input that takes them', () => {
    expect(warnings(40, { jfif: 60 })).toEqual([
      'The label “Hannaea”: 60 of its 100 files are left out because of their ending. Found: 60 files that end with .jfif (h.zip: 0.jfif, h.zip: 1.jfif, h.zip: 2.jfif …). If these are images, set image-extensions: jpg, png, jfif.',
    ]);
  });

  test('are one from a twentieth of the label’s files on', () => {
    expect(warnings(95, { jp2: 5 })).toHaveLength(1);
    expect(warnings(96, { jp2: 4 })).toEqual([]);
  });

  test('are not given for what accompanies images', () => {
    expect(warnings(10, { txt: 3, xml: 10, csv: 1 })).toEqual([]);
    expect(warnings(10, { txt: 3, avif: 1 })[0]).toContain(
      '1 of its 11 files are left out because of their ending. Found: 1 file that ends with .avif (',
    );
  });
});

describe('a label without a single image is an error that says what is there', () => {
  const fault = async (...given: Parameters<typeof label>) =>
    (await failureOf(async () => requireImages([label(3, {}), label(...given)], EXTENSIONS))).message;

  test('files with other endings', async () => {
    expect(await fault(0, { heic: 2, '': 1 })).toBe(
      [
        'The label “Hannaea” (h.zip) has no images: none is left for training. Found: 2 files that end with .heic (h.zip: 0.heic, h.zip: 1.heic), 1 file without an ending (h.zip: 0.). If these are images, set image-extensions: jpg, png, heic.',
        'Add images, or take the label out of the file list.',
      ].join('\n'),
    );
  });

  test('zips in the zip', async () => {
    expect(await fault(0, { zip: 2 })).toContain('(h.zip: 0.zip, h.zip: 1.zip). Zips inside a zip are not unpacked');
    expect(await fault(0, { zip: 2 })).not.toContain('image-extensions');
  });

  test('nothing', async () => {
    expect(await fault(0, {})).toContain('none is left for training. Its folder is empty.');
  });
});
