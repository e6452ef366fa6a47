import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import type { ActionResult } from '../../scripts/run-action.ts';
import { filesBelow } from './files-below.ts';

/** Something in which secrets are looked for. */
export interface Evidence {
  readonly place: string;
  readonly data: string | Uint8Array;
  /** Secrets that belong there. */
  readonly allowed?: readonly string[];
}

export interface Canaries {
  /** A secret with a mark in it that is nowhere else in the world. */
  make(name: string, shape?: (mark: string) => string): string;
  /** Each secret that is where it does not belong: `name in place`. */
  seenIn(evidence: readonly Evidence[]): string[];
}

/** Secrets of one run. They are found as they are, in any letter case, and as Base64 of whatever they stand in. */
export function makeCanaries(): Canaries {
  const marks = new Map<string, string>();
  return {
    make(name, shape = (mark) => mark) {
      const mark = marks.get(name) ?? `canary${randomBytes(9).toString('hex')}`;
      marks.set(name, mark);
      return shape(mark);
    },
    seenIn: (evidence) =>
      evidence.flatMap(({ place, data, allowed = [] }) => {
        const text = Buffer.from(data).toString('latin1');
        const found = [...marks].filter(([, mark]) => formsOf(mark).some((form) => text.includes(form)));
        return found.flatMap(([name]) => (allowed.includes(name) ? [] : [`${name} in ${place}`]));
      }),
  };
}

function formsOf(mark: string): string[] {
  const encoded = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(mark)]).toString('base64');
    return text.slice(before === 0 ? 0 : 4, -4);
  });
  return [
    mark,
    mark.toUpperCase(),
    ...encoded,
    ...encoded.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/** All that a run shows. What it tells the runner to mask is for the runner alone. */
export function evidenceOf({ stdout, stderr, summary, outputs, state }: ActionResult): Evidence[] {
  const log = stdout.split('\n').filter((line) => !line.startsWith('::add-mask::'));
  return [
    { place: 'log', data: log.join('\n') },
    { place: 'standard error', data: stderr },
    { place: 'summary', data: summary },
    { place: 'outputs', data: JSON.stringify(outputs) },
    { place: 'state', data: JSON.stringify(state) },
  ];
}

/** All files below a folder, and what is in those that are zips. */
export function evidenceBelow(folder: string): Evidence[] {
  if (!existsSync(folder)) return [];
  return filesBelow(folder).flatMap((path) => unpacked(path, readFileSync(join(folder, path))));
}

/** A file, and what is in it if it is a zip. */
export function unpacked(place: string, data: Uint8Array): Evidence[] {
  const own = [{ place, data: Buffer.concat([Buffer.from(`${place}\n`), data]) }];
  try {
    return [
      ...own,
      ...Object.entries(unzipSync(data)).flatMap(([name, inner]) => unpacked(`${place}: ${name}`, inner)),
    ];
  } catch {
    return own;
  }
}

/** Notes the command line of every process of this machine, as everybody on it can read them, until it is told to stop. */
export function watchPrograms(): { stop(): Evidence[] } {
  const seen = new Set<string>();
  const look = () => {
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // It has ended.
      }
    }
  };
  const timer = setInterval(look, 25);
  return {
    stop: () => {
      clearInterval(timer);
      return [{ place: 'a command line', data: [...seen].join('\n') }];
    },
  };
}
