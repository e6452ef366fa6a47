import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommand, run } from './commands.ts';
import { freePort, stop } from './daemon.ts';

/** A Slurm cluster whose nodes all are this machine, with GPUs that are not real. */
export interface SlurmCluster {
  /** Everything of it: configuration, state, logs. */
  readonly folder: string;
  /** What a session on its login node has: where the configuration is. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs one of Slurm’s commands and returns what it prints. */
  command(program: string, ...args: readonly string[]): Promise<string>;
  /** Names of the jobs that are not over. */
  jobs(): Promise<string[]>;
  /** Ends all jobs and waits until they are gone. */
  cancelAll(): Promise<void>;
  /** Ends the controller, so that no command of Slurm is answered; jobs run on. */
  stopController(): Promise<void>;
  startController(): Promise<void>;
  /** Ends all jobs, then the daemons, and removes the folder. */
  stop(): Promise<void>;
}

/** A daemon of Slurm saves its state before it ends. */
const PATIENCE_MS = 10_000;

/** Where Debian has the daemons; a user's PATH does not. */
const SBIN = ['/usr/sbin', '/usr/local/sbin'].join(delimiter);
/** What Slurm takes for GPUs: each is a device of its own. */
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'stdin'].map((name) => `/dev/${name}`);

/** Starts munged, slurmctld and slurmd with own paths and ports, for the user who runs the tests. */
export async function startSlurm({
  gpus = 2,
  nodes = 1,
}: {
  /** Of each node. */
  readonly gpus?: number;
  readonly nodes?: number;
} = {}): Promise<SlurmCluster> {
  const env = { ...process.env, PATH: `${process.env['PATH']}${delimiter}${SBIN}` };
  for (const program of ['slurmctld', 'slurmd', 'sbatch']) {
    requireCommand(join(program === 'sbatch' ? '' : '/usr/sbin', program), '“apt-get install slurm-wlm”', ['-V']);
  }
  requireCommand('/usr/sbin/munged', '“apt-get install munge”', ['--version']);
  const folder = await mkdtemp(join(tmpdir(), 'slurm-'));
  // munged trusts no folder that others may write to, and needs one that others may enter.
  await chmod(folder, 0o755);
  const path = (name: string) => join(folder, name);
  await mkdir(path('state'));
  await writeFile(path('munge.key'), randomBytes(128), { mode: 0o600 });
  const configuration = path('slurm.conf');
  const controllerPort = await freePort();
  const nodeLines: string[] = [];
  for (const name of nodeNames(nodes)) nodeLines.push(nodeLine(name, await freePort(), gpus));
  await writeFile(configuration, slurmConf(folder, controllerPort, nodeLines));
  await writeFile(
    path('gres.conf'),
    DEVICES.slice(0, gpus)
      .map((file) => `Name=gpu File=${file}\n`)
      .join(''),
  );
  await writeFile(path('cgroup.conf'), '');
  const environment = { SLURM_CONF: configuration };

  const start = (program: string, ...args: string[]) => startForeground(program, args, { ...env, ...environment });
  const command = (program: string, ...args: readonly string[]) =>
    run(program, args, { env: { ...env, ...environment } });

  const munged = start(
    'munged',
    '--foreground',
    '--force',
    ...['socket', 'key-file', 'pid-file', 'log-file', 'seed-file'].map(
      (name) => `--${name}=${path(`munge.${name.replace('-file', '')}`)}`,
    ),
  );
  await until('munged', munged, () => run('munge', ['--no-input', '--socket', path('munge.socket')]));
  const startController = async () => {
    controller = start('slurmctld', '-D', '-f', configuration);
    await until('slurmctld', controller, () => command('scontrol', 'ping').then((text) => mustContain(text, 'is UP')));
  };
  let controller = start('slurmctld', '-D', '-f', configuration, '-c');
  const daemons = nodeNames(nodes).map((name) => ({
    name,
    child: start('slurmd', '-D', '-N', name, '-f', configuration),
  }));
  for (const { name, child } of daemons) {
    await until('slurmd', child, () =>
      command('sinfo', '--noheader', '--partition=gpu', `--nodes=${name}`, '--format=%T').then((text) =>
        mustContain(text, 'idle'),
      ),
    );
  }

  return {
    folder,
    environment,
    command,
    startController,
    stopController: () => stop(controller, PATIENCE_MS),
    cancelAll,
    jobs: async () => (await command('squeue', '--noheader', '--format=%j')).split('\n').filter((name) => name !== ''),
    async stop() {
      await cancelAll().catch(() => {});
      for (const daemon of [...daemons.map(({ child }) => child), controller, munged]) await stop(daemon, PATIENCE_MS);
      await rm(folder, { recursive: true, force: true });
    },
  };

  async function cancelAll(): Promise<void> {
    await command('scancel', '--user', userInfo().username);
    for (let tries = 0; (await command('squeue', '--noheader')) !== ''; tries++) {
      if (tries === 150) throw new Error(`Jobs do not end:\n${await command('squeue')}`);
      await sleep(200);
    }
  }

  async function until(program: string, child: ChildProcess, isUp: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await isUp();
        return;
      } catch (error) {
        if (child.exitCode === null && tries < 200) await sleep(100);
        else throw new Error(`${program} does not come up: ${error}\n${await logs()}`);
      }
    }
  }

  async function logs(): Promise<string> {
    const files = ['slurmctld.log', ...nodeNames(nodes).map((name) => `slurmd-${name}.log`), 'munge.log'];
    return (await Promise.all(files.map((name) => readFile(path(name), 'utf8').catch(() => '')))).join('\n');
  }
}

function mustContain(text: string, part: string): void {
  if (!text.includes(part)) throw new Error(`no “${part}” in “${text.trim()}”`);
}

function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `node${index + 1}`);
}

/** Several nodes may be one machine, each with a daemon and a port of its own (slurm.conf(5), `NodeHostname`). */
function nodeLine(name: string, port: number, gpus: number): string {
  return `NodeName=${name} NodeHostname=${machineName()} NodeAddr=127.0.0.1 Port=${port} CPUs=16 RealMemory=1000 Gres=gpu:${gpus}`;
}

function machineName(): string {
  return hostname().split('.')[0] ?? 'localhost';
}

/** `KillWait` is short so that tests of time limits are; a job is forgotten after `MinJobAge`, as on a real cluster after minutes. */
function slurmConf(folder: string, controllerPort: number, nodeLines: readonly string[]): string {
  const user = userInfo().username;
  return `ClusterName=tests
SlurmctldHost=${machineName()}(127.0.0.1)
SlurmUser=${user}
SlurmdUser=${user}
SlurmctldPort=${controllerPort}
AuthType=auth/munge
AuthInfo=socket=${folder}/munge.socket
CredType=cred/munge
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool-%n
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd-%n.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd-%n.log
SlurmctldDebug=info
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,defer_batch=0
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MinJobAge=10
GresTypes=gpu
${nodeLines.join('\n')}
PartitionName=gpu Nodes=ALL Default=YES MaxTime=2880 State=UP
PartitionName=closed Nodes=ALL State=DOWN
`;
}

function startForeground(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(program, args, { env, stdio: 'ignore' });
  child.on('error', () => {});
  return child;
}
