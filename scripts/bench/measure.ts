import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Figures {
  readonly seconds: number;
  /** The largest sum, over a program and all that it started, of resident memory. */
  readonly peakMemoryBytes: number;
  /** The most that the files of the workspace took up. */
  readonly peakDiskBytes: number;
}

const INTERVAL_MS = 50;
/** Looking at many files takes time that the programs measured would have: at most a twentieth of one core is spent so. */
const REST = 20;
const LEAST_REST_MS = 100;

/**
 * Measures a program from its start to its end: wall time, the memory of its whole tree of processes, looked at 20 times
 * a second in Linux's /proc (pages that processes share count once for each), and what the files of its workspace take up
 * on the disk, looked at up to 10 times a second, more rarely the more files there are.
 */
export async function measure(pid: number, workspace: string, end: Promise<unknown>): Promise<Figures> {
  const start = performance.now();
  let [peakMemoryBytes, peakDiskBytes, nextLook] = [0, 0, 0];
  const timer = setInterval(() => {
    peakMemoryBytes = Math.max(peakMemoryBytes, residentBytes(pid));
    const began = performance.now();
    if (began < nextLook) return;
    peakDiskBytes = Math.max(peakDiskBytes, diskBytes(workspace));
    const took = performance.now() - began;
    nextLook = began + Math.max(LEAST_REST_MS, REST * took);
  }, INTERVAL_MS);
  try {
    await end;
    return { seconds: (performance.now() - start) / 1_000, peakMemoryBytes, peakDiskBytes };
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

/** Blocks in use, as `du` counts them. What is deleted meanwhile counts as nothing. */
function diskBytes(folder: string): number {
  try {
    return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sum + diskBytes(path);
      return sum + 512 * (lstatSync(path, { throwIfNoEntry: false })?.blocks ?? 0);
    }, 0);
  } catch {
    return 0;
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}
