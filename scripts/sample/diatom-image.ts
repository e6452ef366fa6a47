import type { Picture } from './png.ts';
import type { Random } from './random.ts';
import type { Species } from './species.ts';

/** How one specimen lies under the microscope. */
interface View {
  readonly species: Species;
  readonly age: number;
  /** Half the length in pixels. */
  readonly half: number;
  readonly striaeOffset: number;
}

/**
 * Draws one specimen of a species as a bright-field microscope shows a cleaned frustule: a dark rim with a bright halo,
 * striae, raphe or fibulae, dust, uneven light, slight defocus and camera noise. Grey or in colour, cropped closely.
 */
export function drawDiatom(species: Species, random: Random): Picture {
  const age = random.between(0, 1);
  const [shortest, longest] = species.length;
  const half = (longest - (longest - shortest) * (0.75 * age + 0.25 * random.between(0, 1))) / 2;
  const view: View = { species, age, half, striaeOffset: random.between(0, 6) };
  const angle = random.chance(0.18) ? random.between(-0.75, 0.75) : random.normal() * 0.07;
  const mirrored = random.chance(0.5) ? -1 : 1;
  const { width, height } = cropOf(view, angle, random);

  const light = backgroundOf(width, height, random);
  const contrast = random.between(0.85, 1.15);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [centreX, centreY] = [width / 2 + random.between(-2, 2), height / 2 + random.between(-2, 2)];
  const distances = distancesFromOutline(view, width, height, (u, v) => [
    centreX + u * cos - mirrored * v * sin,
    centreY - u * sin - mirrored * v * cos,
  ]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [x + 0.5 - centreX, centreY - y - 0.5];
      const [u, v] = [dx * cos + dy * sin, mirrored * (dy * cos - dx * sin)];
      const at = y * width + x;
      const depth = (isInside(view, u, v) ? 1 : -1) * (distances[at] ?? FARTHEST);
      if (depth <= -FARTHEST) continue;
      light[at] = (light[at] ?? 0) + contrast * shade(view, u, v, depth);
    }
  }
  return develop(blur(light, width, random.between(0.05, 0.24)), width, height, random);
}

/** The picture's size: the specimen's bounding box with a margin. */
function cropOf({ species, age, half }: View, angle: number, random: Random): { width: number; height: number } {
  let [reachX, reachY] = [0, 0];
  for (let t = -1; t <= 1; t += 0.02) {
    for (const side of [-1, 1]) {
      const v = Math.abs(species.middle(t, age) + side * species.halfWidth(t, age));
      reachX = Math.max(reachX, Math.abs(t * Math.cos(angle)) + v * Math.abs(Math.sin(angle)));
      reachY = Math.max(reachY, Math.abs(t * Math.sin(angle)) + v * Math.abs(Math.cos(angle)));
    }
  }
  return {
    width: Math.round(2 * (reachX * half + random.between(8, 14))),
    height: Math.round(2 * (reachY * half + random.between(8, 14))),
  };
}

/** What the specimen adds to (or, below 0, takes from) the light `depth` pixels inside its outline. */
function shade(view: View, u: number, v: number, depth: number): number {
  const rim = -0.42 * bell(depth - 1.2, 1.15) + 0.13 * bell(depth + 2.2, 1.5) - 0.035 * bell(depth + 5.2, 1.4);
  const inside = smoothStep(depth, 1.5, 3.5);
  return inside === 0 ? rim : rim + inside * (ornament(view, u, v, depth) - 0.03 + 0.05 * bell(depth - 4, 1.6));
}

function isInside({ species, age, half }: View, u: number, v: number): boolean {
  const t = u / half;
  return Math.abs(t) < 1 && Math.abs(v / half - species.middle(t, age)) < species.halfWidth(t, age);
}

const FARTHEST = 10;

/**
 * The distance of each pixel from the outline, up to `FARTHEST` pixels: closely set points of the outline each mark
 * their surroundings. `place` turns frustule coordinates (in pixels) into picture coordinates.
 */
function distancesFromOutline(
  { species, age, half }: View,
  width: number,
  height: number,
  place: (u: number, v: number) => [number, number],
): Float32Array {
  const distances = new Float32Array(width * height).fill(FARTHEST);
  const step = 0.35 / half;
  for (let angle = 0; angle < 2 * Math.PI; angle += step) {
    const t = Math.cos(angle);
    const side = angle < Math.PI ? 1 : -1;
    const [x, y] = place(t * half, (species.middle(t, age) + side * species.halfWidth(t, age)) * half);
    for (let row = Math.max(0, Math.floor(y - FARTHEST)); row < Math.min(height, y + FARTHEST); row++) {
      for (let column = Math.max(0, Math.floor(x - FARTHEST)); column < Math.min(width, x + FARTHEST); column++) {
        const distance = Math.sqrt((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2);
        const at = row * width + column;
        if (distance < (distances[at] ?? 0)) distances[at] = distance;
      }
    }
  }
  return distances;
}

function ornament(view: View, u: number, v: number, depth: number): number {
  const { species, age, half, striaeOffset } = view;
  const { kind, striae, radiate, raphe, centralArea } = species.ornament;
  const t = Math.max(-1, Math.min(1, u / half));
  if (kind === 'radial') return radialOrnament(view, u, v);

  const width = Math.max(species.halfWidth(t, age), 0.01);
  const across = v / half - species.middle(t, age) - raphe * width;
  const offAxis = Math.abs(across) * half;
  const lean = radiate * offAxis * Math.tanh(3.2 * t) * (1 - 0.8 * t * t);
  const stripe = 0.5 + 0.5 * Math.cos((2 * Math.PI * (Math.abs(u - lean) + striaeOffset)) / striae);
  const puncta = 0.78 + 0.22 * Math.cos((2 * Math.PI * offAxis) / 2.6);
  const [centreLength, centreWidth] = centralArea;
  const clear = centreLength === 0 ? 1 : smoothStep(Math.hypot(t / centreLength, across / centreWidth), 0.75, 1.15);
  const axial = kind === 'keel' ? 1 : smoothStep(offAxis, kind === 'raphe' ? 2 : 1.1, kind === 'raphe' ? 3.6 : 2.2);
  const lines = -(kind === 'keel' ? 0.1 : 0.21) * stripe * puncta * clear * axial;
  if (kind === 'raphe') return lines + rapheLine(t, across * half);
  return kind === 'keel' ? lines + fibulae(u, across, depth) : lines + 0.03 * (1 - axial);
}

/** Two thin slits from near the poles to the central nodule, where they end in small pores. */
function rapheLine(t: number, across: number): number {
  const run = smoothStep(Math.abs(t), 0.045, 0.07) * (1 - smoothStep(Math.abs(t), 0.88, 0.93));
  const pore = -0.22 * bell(Math.hypot(across, (Math.abs(t) - 0.055) * 70), 1.3);
  return run * (-0.3 * bell(across, 0.8) + 0.09 * bell(Math.abs(across) - 2, 0.9)) + pore;
}

/** The row of short bars below the keel, along one margin. */
function fibulae(u: number, across: number, depth: number): number {
  if (across > 0) return 0;
  return -0.34 * bell(depth - 3.1, 1.5) * (0.5 + 0.5 * Math.cos((2 * Math.PI * u) / 6.4)) ** 1.5;
}

/** Chambers along the margin, and a wavy centre with a few pores. */
function radialOrnament({ species, half, striaeOffset }: View, u: number, v: number): number {
  const radius = Math.hypot(u, v) / half;
  const direction = Math.atan2(v, u);
  const [edge] = species.ornament.centralArea;
  const wobble = edge + 0.025 * Math.sin(5 * direction + striaeOffset);
  const spokes = (0.5 + 0.5 * Math.cos(direction * species.ornament.striae)) ** 0.8;
  const margin = smoothStep(radius, wobble, wobble + 0.07) * -0.27 * spokes;
  const wave = 0.085 * Math.sin((5.2 * u) / half + striaeOffset) * (1 - smoothStep(radius, 0.35, 0.55));
  const pores = [0, 1, 2].map((pore) => {
    const at = striaeOffset + (pore * 2 * Math.PI) / 3;
    return bell(Math.hypot(u - 0.24 * half * Math.cos(at), v - 0.24 * half * Math.sin(at)), 1.6);
  });
  return margin + wave - 0.2 * pores.reduce((sum, value) => sum + value, 0);
}

/** The empty slide: light that falls off to one side, faint mottling and some dust. */
function backgroundOf(width: number, height: number, random: Random): Float32Array {
  const level = random.between(0.68, 0.84);
  const [tiltX, tiltY] = [random.normal() * 0.025, random.normal() * 0.025];
  const [waveX, waveY, phase] = [random.between(0.02, 0.06), random.between(0.02, 0.06), random.between(0, 6)];
  const dust = Array.from({ length: Math.floor(random.between(0, 5)) }, () => ({
    x: random.between(0, width),
    y: random.between(0, height),
    size: random.between(0.8, 2.2),
    depth: random.between(-0.3, 0.04),
  }));
  const light = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let value = level + tiltX * ((2 * x) / width - 1) + tiltY * ((2 * y) / height - 1);
      value += 0.008 * Math.sin(x * waveX + y * waveY + phase);
      for (const speck of dust) value += speck.depth * bell(Math.hypot(x - speck.x, y - speck.y), speck.size);
      light[y * width + x] = value;
    }
  }
  return light;
}

/** A little defocus: each place takes `amount` of its light from either neighbour, along rows and then along columns. */
function blur(light: Float32Array, width: number, amount: number): Float32Array {
  let result = light;
  for (const step of [1, width]) {
    const source = result;
    result = source.map(
      (value, at) => (1 - 2 * amount) * value + amount * ((source[at - step] ?? value) + (source[at + step] ?? value)),
    );
  }
  return result;
}

/** Camera and lamp: noise, and for half of the pictures the lamp's tint. */
function develop(light: Float32Array, width: number, height: number, random: Random): Picture {
  const tints: readonly (readonly number[])[] = [
    [1.06, 1.02, 0.9],
    [0.95, 1.02, 1.05],
    [1.05, 1.04, 0.98],
  ];
  const channels = random.chance(0.5) ? 1 : 3;
  const tint = channels === 1 ? [1] : (tints[Math.floor(random.between(0, tints.length))] ?? [1, 1, 1]);
  const noise = random.between(0.006, 0.016);
  const pixels = new Uint8Array(width * height * channels);
  for (let at = 0; at < light.length; at++) {
    const value = (light[at] ?? 0) + noise * random.normal();
    for (let channel = 0; channel < channels; channel++) {
      const level = 255 * value * (tint[channel] ?? 1);
      pixels[at * channels + channel] = Math.max(0, Math.min(255, Math.round(level)));
    }
  }
  return { width, height, channels, pixels };
}

function bell(distance: number, width: number): number {
  return Math.exp(-((distance / width) ** 2));
}

/** 0 below `from`, 1 above `to`, smooth between. */
function smoothStep(value: number, from: number, to: number): number {
  const x = Math.max(0, Math.min(1, (value - from) / (to - from)));
  return x * x * (3 - 2 * x);
}
