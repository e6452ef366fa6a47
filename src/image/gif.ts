import { type CheckFormat, CUT_SHORT, wrongSize } from './fault.ts';
import type { ImageBytes } from './image-bytes.ts';

/** GIF89a specification, 17. */
export const GIF_SIGNATURES = ['GIF87a', 'GIF89a'].map((text) => Buffer.from(text, 'latin1'));

const [EXTENSION, IMAGE, TRAILER] = [0x21, 0x2c, 0x3b];

/** Block after block (23, 20, 27) to the trailer; more may follow. */
export const checkGif: CheckFormat = (bytes) => {
  if (bytes.length < 13) return CUT_SHORT;
  let at = 13 + colourTableBytes(bytes.at(10) ?? 0);
  let images = 0;
  while (at < bytes.length) {
    const block = bytes.at(at);
    if (block === TRAILER) return images === 0 ? 'holds no pixels' : undefined;
    if (block === EXTENSION) at = endOfSubBlocks(bytes, at + 2);
    else if (block === IMAGE) {
      if (at + 11 > bytes.length) return CUT_SHORT;
      const image = bytes.slice(at, at + 11);
      const fault = wrongSize(image.readUInt16LE(5), image.readUInt16LE(7));
      if (fault !== undefined) return fault;
      images++;
      // The least code size stands between colour table and data.
      at = endOfSubBlocks(bytes, at + 10 + colourTableBytes(image[9] ?? 0) + 1);
    } else return 'is damaged: a part of it begins in the middle';
  }
  return CUT_SHORT;
};

/** Of a packed field whose highest bit says that a colour table follows, and whose lowest three how large it is. */
function colourTableBytes(packed: number): number {
  return packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0;
}

function endOfSubBlocks(bytes: ImageBytes, from: number): number {
  let at = from;
  for (let length = bytes.at(at); length !== undefined && length > 0; length = bytes.at(at)) at += length + 1;
  return at + 1;
}
