import { createHash } from 'node:crypto';

/** What the points of all tables are drawn from. A weekly run has another than the one before, and prints it. */
export const SEED = process.env['DIATOM_SEED'] || 'diatoms';

/** A number from 0 to 1, 1 excluded, that is the same whenever name and seed are. */
export function draw(name: string): number {
  return createHash('sha256').update(`${SEED}\n${name}`).digest().readUIntBE(0, 6) / 2 ** 48;
}

/** A whole number from `least` to `most`, both included. */
export function drawWhole(name: string, least: number, most: number): number {
  return least + Math.floor(draw(name) * (most - least + 1));
}

/** One of several. */
export function drawOne<T>(name: string, from: readonly [T, ...T[]]): T {
  return from[Math.floor(draw(name) * from.length)] ?? from[0];
}

/**
 * All rows, or a part that is always the same where `DIATOM_FAULTS` is `some`: every change is tried by that, and all of
 * them once a week.
 */
export function someOf<T>(rows: readonly T[], oneOf: number): readonly T[] {
  return process.env['DIATOM_FAULTS'] === 'some' ? rows.filter((_, index) => index % oneOf === 0) : rows;
}
