import { encodePng } from '../../scripts/sample/png.ts';
import { createRandom } from '../../scripts/sample/random.ts';

/** How the species look: how many waves go across and down. */
const WAVES = {
  Achnanthidium: [1, 0],
  Cocconeis: [0, 1],
  Encyonema: [1, 1],
  Fragilaria: [2, 0],
  Navicula: [0, 2],
  Nitzschia: [2, 1],
  Ulnaria: [1, 2],
} as const;

export type Species = keyof typeof WAVES;

const SIDE = 16;
/** So much that even a good model takes some pictures for another species. */
const NOISE = 50;

/** A picture of a species as PNG, grey and 16 × 16 pixels; always the same for the same number, and never for two. */
export function drawPicture(species: Species, number: number): Buffer {
  const [across, down] = WAVES[species];
  const random = createRandom(Object.keys(WAVES).indexOf(species) * 100_000 + number);
  const strength = random.between(4, 40);
  const pixels = Uint8Array.from({ length: SIDE * SIDE }, (_, index) => {
    const [x, y] = [index % SIDE, Math.floor(index / SIDE)];
    const wave = Math.sin((2 * Math.PI * (across * x + down * y)) / SIDE);
    return Math.max(0, Math.min(255, Math.round(128 + strength * wave + NOISE * random.normal())));
  });
  return encodePng({ width: SIDE, height: SIDE, channels: 1, pixels });
}
