import { execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Moto } from './moto.ts';

/** A machine that has been given user data and booted, as far as that text can tell. */
export interface Machine {
  /** What it asked of the system so far, in order: `shutdown -P +720 …`. */
  log(): readonly string[];
  /** What it printed to its console. */
  console(): string;
  /** A file in it, as the text names it. */
  read(path: string): string;
  /** Resolves with what has switched it off. Everything that ran in it is gone by then. */
  readonly isOff: Promise<string>;
  /** The script that was its user data dies by force; what it has started goes on. */
  killScript(): void;
  /** Removes it, switched off or not. */
  destroy(): Promise<void>;
}

export interface MachineOptions {
  /** Programs that fail in it. */
  readonly broken?: readonly string[];
  /** Whether there is a group `docker`. */
  readonly docker?: boolean;
  /** What cloud-init knows it by. */
  readonly id?: string;
  /** Is called when it switches itself off. */
  readonly onPowerOff?: () => Promise<void>;
}

/** The machines behind the instances that moto pretends to have. */
export interface MachineRoom {
  /** The machine of an instance that was launched under that name. */
  machineOf(name: string): Machine | undefined;
  close(): Promise<void>;
}

/**
 * Boots a machine for every instance that is launched. One that switches itself off does to its instance what EC2 would
 * do, by the instance's own shutdown behaviour; one whose instance is stopped or terminated is gone.
 */
export function bootWhatIsLaunched(moto: Moto): MachineRoom {
  const machines = new Map<string, { readonly name: string; readonly machine: Machine }>();
  moto.onRequest(async ({ action, region, parameters }, when, answer) => {
    if (when === 'before') return;
    if (action === 'TerminateInstances' || action === 'StopInstances') {
      await machines.get(parameters.get('InstanceId.1') ?? '')?.machine.destroy();
    }
    const [, id] = /<instanceId>(i-[0-9a-f]+)</.exec(answer) ?? [];
    if (action !== 'RunInstances' || id === undefined) return;
    const of = ['--instance-id', id, '--attribute', 'instanceInitiatedShutdownBehavior'];
    const onPowerOff = async () => {
      const query = ['--query', 'InstanceInitiatedShutdownBehavior.Value'];
      const behavior = await moto.ask(region, 'ec2', 'describe-instance-attribute', ...of, ...query);
      const end = behavior === 'terminate' ? 'terminate-instances' : 'stop-instances';
      await moto.ask(region, 'ec2', end, '--instance-ids', id);
    };
    const userData = Buffer.from(parameters.get('UserData') ?? '', 'base64').toString();
    const name = [...parameters.values()].find((value) => /^diatom-\d+-\d+(-[a-z0-9-]+)?$/.test(value)) ?? '';
    machines.set(id, { name, machine: bootMachine(userData, { onPowerOff }) });
  });
  return {
    machineOf: (name) => [...machines.values()].find((known) => known.name === name)?.machine,
    close: async () => {
      for (const { machine } of machines.values()) await machine.destroy();
    },
  };
}

/** What would change this computer, or switch it off. */
const PROGRAMS: Readonly<Record<string, string>> = {
  shutdown: 'case "$*" in *" now"*) off shutdown ;; esac',
  poweroff: 'off "poweroff $*"',
  useradd: 'mkdir "$MACHINE/home"',
  usermod: ':',
  getent:
    'case "$1 $2" in "passwd diatom") echo "diatom:x:1001:1001::$MACHINE/home:/bin/bash" ;; *) [ -n "$MACHINE_DOCKER" ] ;; esac',
  chown: ':',
  ldconfig: ':',
  runuser: 'shift 3; exec "$@"',
  sync: ':',
  // The wait for an orderly end of the system.
  sleep: '[ "$1" = 120 ] || exec /bin/sleep "$@"',
};

/** The paths that the text may write to, and where they are here instead. */
const PATHS = ['/var/lib/cloud', '/proc/sysrq-trigger'];

/**
 * Executes user data with bash, as cloud-init would, with stand-ins for what would change this computer. It is a session
 * of its own, which ends as a whole when the machine switches itself off.
 *
 * @throws Error when the text names a place that could be one of this computer's
 */
export function bootMachine(userData: string, options: MachineOptions = {}): Machine {
  const { broken = [], docker = true, id = '', onPowerOff } = options;
  const root = mkdtempSync(join(tmpdir(), 'ec2-machine-'));
  const inside = (path: string) => join(root, path);
  for (const folder of ['bin', 'proc']) mkdirSync(inside(folder));
  mkdirSync(inside('var/lib/cloud/data'), { recursive: true });
  writeFileSync(inside('var/lib/cloud/data/instance-id'), `${id}\n`);
  writeFileSync(inside('log'), '');
  for (const [name, body] of Object.entries(PROGRAMS)) {
    const text = broken.includes(name) ? 'exit 1' : body;
    writeFileSync(
      inside(`bin/${name}`),
      `#!/bin/bash\noff() { printf %s "$1" >"$MACHINE/off"; exec /bin/sleep 600; }\n${name === 'sleep' ? '' : `echo "${name} $*" >>"$MACHINE/log"\n`}${text}\n`,
    );
    chmodSync(inside(`bin/${name}`), 0o755);
  }
  const text = PATHS.reduce((changed, path) => changed.replaceAll(path, inside(path)), userData);
  const foreign = /[\s>"'](\/(?:etc|proc|sys|boot)\/[^\s"']*)/.exec(text);
  if (foreign) throw new Error(`The user data names ${foreign[1]}, for which there is no stand-in`);
  writeFileSync(inside('user-data'), text, { mode: 0o700 });
  const child = spawn('bash', [inside('user-data')], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: root,
    env: {
      PATH: `${inside('bin')}:/usr/local/bin:/usr/bin:/bin`,
      MACHINE: root,
      MACHINE_DOCKER: docker ? 'yes' : '',
      TMPDIR: root,
    },
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      printed += piece;
    });
  }
  const killAll = () => killSession(String(child.pid));
  let watch: NodeJS.Timeout | undefined;
  const isOff = new Promise<string>((resolve, reject) => {
    watch = setInterval(() => {
      const by = [
        ['off', 'off'],
        ['proc/sysrq-trigger', 'the kernel'],
      ].find(([file = '']) => existsSync(inside(file)) && readFileSync(inside(file), 'utf8').trim() !== '');
      if (by === undefined) return;
      clearInterval(watch);
      const what =
        by[1] === 'off'
          ? readFileSync(inside('off'), 'utf8')
          : `the kernel: ${readFileSync(inside('proc/sysrq-trigger'), 'utf8').trim()}`;
      Promise.all([killAll(), onPowerOff?.()]).then(() => resolve(what), reject);
    }, 50);
  });
  return {
    log: () => readFileSync(inside('log'), 'utf8').trim().split('\n'),
    console: () => printed,
    read: (path) => readFileSync(inside(path), 'utf8'),
    isOff,
    killScript: () => void child.kill('SIGKILL'),
    destroy: async () => {
      clearInterval(watch);
      await killAll();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Until nobody is there: what is started while they are counted would go on for ever, without its folder. */
async function killSession(id: string): Promise<void> {
  const killSome = () =>
    promisify(execFile)('pkill', ['-KILL', '-s', id]).then(
      () => true,
      (error: { code?: unknown }) => {
        if (error.code !== 1) throw error;
        return false;
      },
    );
  for (let tries = 0; await killSome(); tries++) {
    if (tries === 500) throw new Error(`The processes of the session ${id} can’t be killed`);
    await sleep(20);
  }
}
