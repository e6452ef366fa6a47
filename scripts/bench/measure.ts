import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Figures {
  readonly seconds: number;
  /** Of processors, for a program and all that it started. */
  readonly cpuSeconds: number;
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
 * Measures a program from its start to its end: wall time, the processor time and the memory of its whole tree of processes,
 * looked at 20 times a second in Linux's /proc (pages that processes share count once for each), and what the files of its workspace take up
 * on the disk, looked at up to 10 times a second, more rarely the more files there are.
 */
export async function measure(pid: number, workspace: string, end: Promise<unknown>): Promise<Figures> {
  const start = performance.now();
  let [cpuSeconds, peakMemoryBytes, peakDiskBytes, nextLook] = [0, 0, 0, 0];
  const timer = setInterval(() => {
    const usage = usageOfTree(pid);
    cpuSeconds = Math.max(cpuSeconds, usage.cpuSeconds);
    peakMemoryBytes = Math.max(peakMemoryBytes, usage.residentBytes);
    const began = performance.now();
    if (began < nextLook) return;
    peakDiskBytes = Math.max(peakDiskBytes, diskBytes(workspace));
    const took = performance.now() - began;
    nextLook = began + Math.max(LEAST_REST_MS, REST * took);
  }, INTERVAL_MS);
  try {
    await end;
    return { seconds: (performance.now() - start) / 1_000, cpuSeconds, peakMemoryBytes, peakDiskBytes };
  } finally {
    clearInterval(timer);
  }
}

function usageOfTree(root: number): { readonly cpuSeconds: number; readonly residentBytes: number } {
  const children = new Map<number, number[]>();
  const ticks = new Map<number, number>();
  for (const pid of readdirSync('/proc').map(Number)) {
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (!stat) continue;
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
    ticks.set(pid, stat.ticks);
  }
  let [cpuTicks, residentBytes] = [0, 0];
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    cpuTicks += ticks.get(pid) ?? 0;
    residentBytes += 1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
    open.push(...(children.get(pid) ?? []));
  }
  return { cpuSeconds: cpuTicks / TICKS_PER_SECOND, residentBytes };
}

/** Linux shows times so on every machine (USER_HZ). */
const TICKS_PER_SECOND = 100;

/**
 * From /proc/PID/stat (proc(5)): the parent, and the processor time of a process and of those of its children that have
 * ended. The name of the program, in parentheses, may hold anything.
 */
function statOf(pid: number): { readonly parent: number; readonly ticks: number } | undefined {
  const text = read(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 15) return undefined;
  const times = fields.slice(11, 15).map(Number);
  return { parent: Number(fields[1]), ticks: times.reduce((sum, time) => sum + time, 0) };
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
