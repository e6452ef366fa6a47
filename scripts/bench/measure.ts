import { readdirSync, readFileSync } from 'node:fs';

export interface Figures {
  readonly seconds: number;
  /** The largest sum, over a program and all that it started, of resident memory. */
  readonly peakBytes: number;
}

const INTERVAL_MS = 50;

/**
 * Measures a program from its start to its end: wall time, and the memory of its whole tree of processes, looked at 20
 * times a second in Linux's /proc. Pages that processes share count once for each.
 */
export async function measure(pid: number, end: Promise<unknown>): Promise<Figures> {
  const start = performance.now();
  let peakBytes = 0;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, residentBytes(pid));
  }, INTERVAL_MS);
  try {
    await end;
    return { seconds: (performance.now() - start) / 1_000, peakBytes };
  } finally {
    clearInterval(timer);
  }
}

function residentBytes(root: number): number {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  let bytes = 0;
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    bytes += 1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
    open.push(...(children.get(pid) ?? []));
  }
  return bytes;
}

/** From /proc/PID/stat; the name of the program, in parentheses, may hold anything. */
function parentOf(pid: number): number | undefined {
  const parent = /\) \S (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Empty for a process that has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

export function medianFigures(all: readonly Figures[]): Figures {
  return {
    seconds: median(all.map(({ seconds }) => seconds)),
    peakBytes: median(all.map(({ peakBytes }) => peakBytes)),
  };
}
