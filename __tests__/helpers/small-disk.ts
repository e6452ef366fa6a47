import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { requireRoot } from './commands.ts';
import { temporaryFolder } from './runner.ts';

export interface SmallDisk {
  readonly folder: string;
  /** Makes it larger, as somebody does who deletes something else. */
  grow(): void;
}

/** A disk of its own (tmpfs), so small that something does not fit, gone after the test. Only root can make one. */
export function smallDisk(bytes: number): SmallDisk {
  requireRoot();
  const folder = temporaryFolder('small-disk');
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=777`, 'tmpfs', folder]);
  // Before the folder itself is removed.
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]));
  return { folder, grow: () => void execFileSync('mount', ['-o', 'remount,size=64m', folder]) };
}
