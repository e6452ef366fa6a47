/**
 * What the sample's species look like in valve view, simplified. Places are given in frustule coordinates: `t` runs
 * along the apical axis from −1 to 1, distances across it are in units of half the length. `age` runs from 0 to 1:
 * diatoms get smaller and relatively wider with every division.
 */
export interface Species {
  readonly label: string;
  /** Range of the length in pixels. */
  readonly length: readonly [number, number];
  /** Half the valve's width at `t`. */
  halfWidth(t: number, age: number): number;
  /** Where the middle of the valve lies at `t`; 0 for a symmetrical one. */
  middle(t: number, age: number): number;
  readonly ornament: Ornament;
}

/** Lines on the valve; lengths in pixels unless said otherwise. */
export interface Ornament {
  readonly kind: 'raphe' | 'keel' | 'plain' | 'radial';
  /** Distance of two striae; for `radial` their number. */
  readonly striae: number;
  /** How much the striae lean towards the poles. */
  readonly radiate: number;
  /** Where the raphe lies between the ventral (−1) and the dorsal (1) margin. */
  readonly raphe: number;
  /** Length and width of the clear area in the centre, as shares of half the length. */
  readonly centralArea: readonly [number, number];
}

/** A rounded end: the half width falls to 0 at the poles like that of an ellipse. */
function rounded(t: number): number {
  return Math.sqrt(Math.max(0, 1 - t * t));
}

function bump(t: number, at: number, width: number): number {
  return Math.exp(-(((t - at) / width) ** 2));
}

const symmetrical = (): number => 0;

export const SPECIES = {
  navicula: {
    label: 'Navicula_tripunctata',
    length: [118, 168],
    halfWidth: (t, age) => (0.15 + 0.05 * age) * (0.24 * rounded(t) + 0.76 * rounded(t) ** 1.6),
    middle: symmetrical,
    ornament: { kind: 'raphe', striae: 4.6, radiate: 0.5, raphe: 0, centralArea: [0.1, 0.1] },
  },
  nitzschia: {
    label: 'Nitzschia_linearis',
    length: [130, 190],
    halfWidth: (t, age) => (0.07 + 0.02 * age) * (0.25 * rounded(t) + 0.75 * Math.max(0, 1 - t ** 6) ** 1.3),
    middle: symmetrical,
    ornament: { kind: 'keel', striae: 3.1, radiate: 0, raphe: 0, centralArea: [0, 0] },
  },
  cymbella: {
    label: 'Cymbella_cistula',
    length: [112, 158],
    halfWidth: (t, age) => (0.2 + 0.05 * age) * (0.3 * rounded(t) + 0.7 * rounded(t) ** 1.7),
    middle: (t) => 0.2 * (1 - t * t) - 0.1,
    ornament: { kind: 'raphe', striae: 5.2, radiate: 0.75, raphe: -0.18, centralArea: [0.08, 0.07] },
  },
  gomphonema: {
    label: 'Gomphonema_truncatum',
    length: [84, 126],
    halfWidth: (t, age) => {
      const head = 0.3 + 0.05 * age;
      const body = 0.1 + (head - 0.1) * bump(t, 0.08, 0.42) + head * 0.74 * bump(t, 0.72, 0.26);
      return Math.min(body, 0.42) * (t > 0 ? Math.max(0, 1 - t ** 6) ** 0.5 : rounded(t));
    },
    middle: symmetrical,
    ornament: { kind: 'raphe', striae: 5, radiate: 0.6, raphe: 0, centralArea: [0.13, 0.15] },
  },
  hannaea: {
    label: 'Hannaea_arcus',
    length: [128, 186],
    halfWidth: (t, age) => {
      const body = 0.052 + 0.014 * age + 0.016 * bump(Math.abs(t), 0.93, 0.07) + 0.022 * bump(t, 0, 0.13);
      return body * Math.max(0, 1 - t ** 12) ** 0.5 * (1 - 0.25 * t * t);
    },
    middle: (t, age) => (0.2 - 0.06 * age) * (1 - t * t) - 0.1 - 0.02 * bump(t, 0, 0.13),
    ornament: { kind: 'plain', striae: 4, radiate: 0, raphe: 0, centralArea: [0.1, 0.2] },
  },
  cyclotella: {
    label: 'Cyclotella_meneghiniana',
    length: [74, 128],
    halfWidth: rounded,
    middle: symmetrical,
    ornament: { kind: 'radial', striae: 42, radiate: 0, raphe: 0, centralArea: [0.52, 0.52] },
  },
} as const satisfies Record<string, Species>;
