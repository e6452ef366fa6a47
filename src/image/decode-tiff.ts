import { decode, type TiffIfd } from 'tiff';
import { channelsOf, NotShown, type Pixels, rangeOf, requireFewPixels } from './pixels.ts';
import { withPlainPixels } from './plain-tiff.ts';

const PALETTE = 3;

/** The first page: grey, RGB or with a palette, plain, LZW or deflated. */
export function decodeTiff(data: Buffer): Pixels {
  const file = alone(data);
  const [described] = decode(file, { pages: [0], ignoreImageData: true });
  if (!described) throw new NotShown('a TIFF without an image');
  // Where a tag is there twice, this decoder takes another than what has told the size so far.
  requireFewPixels(described.width, described.height);
  channelsOf(described.samplesPerPixel);
  // The decoder would give wrong pictures of these.
  if (described.planarConfiguration !== 1 && described.samplesPerPixel > 1) throw new NotShown('a TIFF in planes');
  if (described.tiled && described.samplesPerPixel > 1) throw new NotShown('a TIFF with coloured tiles');
  if (described.tiled && described.predictor > 1) throw new NotShown('a TIFF with tiles of differences');
  const [page] = decode(alone(withPlainPixels(file, described)), { pages: [0] });
  if (!page) throw new NotShown('a TIFF without an image');
  const { width, height, bitsPerSample } = page;
  if (page.type === PALETTE) return { width, height, channels: 3, data: colours(page), black: 0, white: 65_535 };
  // Further channels, except for alpha, are measurements, not colours.
  const channels = channelsOf(page.samplesPerPixel);
  const range = bitsPerSample <= 8 ? { black: 0, white: 2 ** bitsPerSample - 1 } : rangeOf(page.data, channels);
  return { width, height, channels, data: page.data, ...range };
}

/** The decoder reads what follows in memory where a file is cut short: here, nothing does. */
function alone(data: Buffer): Buffer {
  return data.byteOffset + data.length === data.buffer.byteLength ? data : Buffer.from(Uint8Array.from(data).buffer);
}

function colours({ data, palette }: TiffIfd): Uint16Array {
  if (!palette) throw new NotShown('a TIFF without its palette');
  const values = new Uint16Array(data.length * 3);
  for (const [at, index] of data.entries()) values.set(palette[index] ?? [0, 0, 0], 3 * at);
  return values;
}
