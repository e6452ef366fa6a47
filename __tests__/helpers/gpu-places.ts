import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootMachine, bootWhatIsLaunched, type Machine } from './ec2-machine.ts';
import { startGce } from './gce.ts';
import { startMoto } from './moto.ts';
import { startOpenStack } from './openstack.ts';
import { startSlurm } from './slurm.ts';
import { startSshd } from './sshd.ts';

/** A place whose servers make a runner each, for one training. */
export interface GpuPlace {
  readonly inputs: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** The names of those that are there. */
  servers(): Promise<readonly string[]>;
  close(): Promise<void>;
}

async function slurm(): Promise<GpuPlace> {
  const runners = await mkdtemp(join(tmpdir(), 'runners-'));
  const cluster = await startSlurm({ gpus: 4 });
  const sshd = await startSshd({ environment: cluster.environment });
  return {
    inputs: { driver: 'slurm', 'slurm-work-dir': runners, ...sshd.inputs },
    env: {},
    servers: cluster.jobs,
    close: async () => {
      await cluster.stop();
      await sshd.stop();
      await rm(runners, { recursive: true, force: true });
    },
  };
}

async function ec2(): Promise<GpuPlace> {
  const moto = await startMoto();
  const room = bootWhatIsLaunched(moto);
  const region = 'eu-central-1';
  return {
    inputs: { driver: 'ec2', 'ec2-regions': region, 'ec2-ami': moto.ami, 'ec2-instance-types': 'g6.xlarge' },
    env: moto.env,
    servers: async () =>
      (await moto.instances(region))
        .filter(({ State }) => State.Name !== 'terminated')
        .map((instance) => instance.tag('diatom:name') ?? ''),
    close: async () => {
      await room.close();
      await moto.close();
    },
  };
}

async function gce(): Promise<GpuPlace> {
  const cloud = await startGce();
  cloud.bootInstances();
  return {
    inputs: cloud.inputs,
    env: cloud.env,
    servers: async () => [...cloud.instances.keys()],
    close: cloud.close,
  };
}

async function openstack(): Promise<GpuPlace> {
  const cloud = await startOpenStack();
  const machines = new Map<string, Machine>();
  cloud.onServer(async ({ id, userData }, what) => {
    if (what === 'made') machines.set(id, bootMachine(userData, { id }));
    else await machines.get(id)?.destroy();
  });
  return {
    inputs: cloud.inputs,
    env: {},
    servers: async () => [...cloud.servers.values()].map(({ name }) => name),
    close: async () => {
      for (const machine of machines.values()) await machine.destroy();
      await cloud.close();
    },
  };
}

/** Every driver that makes a server for one training. */
export const GPU_PLACES = [
  { driver: 'slurm', open: slurm },
  { driver: 'ec2', open: ec2 },
  { driver: 'gce', open: gce },
  { driver: 'openstack', open: openstack },
] as const;
