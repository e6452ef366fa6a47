import type { ZipEntry } from '../archive/open-zip.ts';
import type { PlannedImage } from '../dataset/plan-types.ts';

/** An image and where it goes, as far as a thread needs it. */
export interface FillImage extends Pick<PlannedImage<ZipEntry>, 'image' | 'split' | 'fileName' | 'group'> {
  /** Whether its bytes are asked for, for the report. */
  readonly wanted: boolean;
}

/**
 * Images on their way to a thread, in columns. Of objects, each with all its fields would be copied on both sides, which for
 * small images takes as long as the work on them.
 */
export interface PackedImages {
  /** `COLUMNS` numbers an image. */
  readonly numbers: Float64Array;
  readonly paths: readonly string[];
  /** `undefined` where it is the path. */
  readonly rawNames: readonly (string | undefined)[];
  readonly fileNames: readonly string[];
  readonly groups: readonly (string | undefined)[];
}

const COLUMNS = 8;

export function packImages(images: readonly FillImage[]): PackedImages {
  const numbers = new Float64Array(COLUMNS * images.length);
  for (const [index, { image, split, wanted }] of images.entries()) {
    const { headerOffset, limit, compressedBytes, bytes, crc32, method } = image;
    const isTest = split === 'test' ? 1 : 0;
    numbers.set([headerOffset, limit, compressedBytes, bytes, crc32, method, isTest, wanted ? 1 : 0], COLUMNS * index);
  }
  return {
    numbers,
    paths: images.map(({ image }) => image.path),
    rawNames: images.map(({ image }) => (image.rawName === image.path ? undefined : image.rawName)),
    fileNames: images.map(({ fileName }) => fileName),
    groups: images.map(({ group }) => group),
  };
}

/** The images again, one at a time: what nobody keeps costs the least. */
export function* unpackImages({ numbers, paths, rawNames, fileNames, groups }: PackedImages): Generator<FillImage> {
  for (const [index, path] of paths.entries()) {
    const at = COLUMNS * index;
    yield {
      image: {
        path,
        rawName: rawNames[index] ?? path,
        headerOffset: numbers[at] ?? 0,
        limit: numbers[at + 1] ?? 0,
        compressedBytes: numbers[at + 2] ?? 0,
        bytes: numbers[at + 3] ?? 0,
        crc32: numbers[at + 4] ?? 0,
        method: numbers[at + 5] ?? 0,
        isFolder: false,
        fault: undefined,
      },
      split: numbers[at + 6] === 1 ? 'test' : 'train',
      wanted: numbers[at + 7] === 1,
      fileName: fileNames[index] ?? '',
      group: groups[index],
    };
  }
}
