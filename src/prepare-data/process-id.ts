import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { systemCodeOf } from '../errors.ts';

/** A process, as others can find it again. */
export interface ProcessId {
  readonly pid: number;
  /** For people. */
  readonly host: string;
  /** Where the number means this process: one start of a machine, and one container. */
  readonly place: string;
  /** When it was started, in the system's own count: numbers are used again. `''` where that is not told. */
  readonly born: string;
}

export async function thisProcess(): Promise<ProcessId> {
  const { pid } = process;
  const start = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const container = await readlink('/proc/self/ns/pid').catch(() => '');
  return {
    pid,
    host: hostname(),
    place: `${start.trim() || hostname()} ${container}`.trim(),
    born: (await bornOf(pid)) ?? '',
  };
}

/** Whether a process runs, as `self` can tell; `undefined` where it can't. */
export async function isAlive(other: ProcessId, self: ProcessId): Promise<boolean | undefined> {
  if (other.place !== self.place) return undefined;
  try {
    process.kill(other.pid, 0);
  } catch (error) {
    if (systemCodeOf(error) === 'ESRCH') return false;
    // Somebody else’s.
  }
  const born = await bornOf(other.pid);
  return born === undefined || other.born === '' ? undefined : born === other.born;
}

/** The 22nd field of /proc/<pid>/stat (proc(5)); the second may hold anything, in brackets. */
async function bornOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // One that has ended stays listed until its parent has asked for its end.
  return /^[ZX]$/.test(fields[0] ?? '') ? 'ended' : fields[19];
}
