import { spawnSync } from 'node:child_process';

/** The file system that holds a folder, such as “ext4 on /dev/vda”. */
export function describeDisk(folder: string): string {
  const [, line = ''] = outputOf('df', ['--output=fstype,source', folder]).trim().split('\n');
  const [type = 'unknown', source = 'unknown'] = line.trim().split(/\s+/);
  return `${type} on ${source}`;
}

/** Name and version of a program, as it says itself, such as “curl 8.5.0”. */
export function versionOf(program: string): string {
  const options = program === 'apache2' || program === 'unzip' || program === 'zip' ? '-v' : '--version';
  const version = /\d+(\.\d+)+/.exec(outputOf(program, [options]).replace(/^Copyright.*$/m, ''))?.[0];
  return `${program} ${version ?? 'of unknown version'}`;
}

function outputOf(program: string, args: readonly string[]): string {
  const { stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return stdout ?? '';
}
