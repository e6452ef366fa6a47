import { type CheckFormat, CUT_SHORT, wrongSize } from './fault.ts';

/** GIF89a specification, 17. */
export const GIF_SIGNATURES = ['GIF87a', 'GIF89a'].map((text) => Buffer.from(text, 'latin1'));

const [EXTENSION, IMAGE, TRAILER] = [0x21, 0x2c, 0x3b];

/** Block after block (23, 20, 27) to the trailer; more may follow. */
export const checkGif: CheckFormat = (data) => {
  if (data.length < 13) return CUT_SHORT;
  let at = 13 + colourTableBytes(data[10] ?? 0);
  let images = 0;
  while (at < data.length) {
    const block = data[at];
    if (block === TRAILER) return images === 0 ? 'holds no pixels' : undefined;
    if (block === EXTENSION) at = endOfSubBlocks(data, at + 2);
    else if (block === IMAGE) {
      if (at + 11 > data.length) return CUT_SHORT;
      const fault = wrongSize(data.readUInt16LE(at + 5), data.readUInt16LE(at + 7));
      if (fault !== undefined) return fault;
      images++;
      // The least code size stands between colour table and data.
      at = endOfSubBlocks(data, at + 10 + colourTableBytes(data[at + 9] ?? 0) + 1);
    } else return 'is damaged: a part of it begins in the middle';
  }
  return CUT_SHORT;
};

/** Of a packed field whose highest bit says that a colour table follows, and whose lowest three how large it is. */
function colourTableBytes(packed: number): number {
  return packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0;
}

function endOfSubBlocks(data: Buffer, from: number): number {
  let at = from;
  for (let length = data[at]; length !== undefined && length > 0; length = data[at]) at += length + 1;
  return at + 1;
}
