import { BESIDE_INPUTS } from './beside-inputs.ts';
import { ROLE_ARN } from './common.ts';
import { type Inputs, secret, text, truth, whole, words } from './kinds.ts';

/** EC2’s own limits: 64 TiB for a gp3 volume (EBS user guide, “General Purpose SSD volumes”). */
const MAX_DISK_GB = 65_536;

/** What begins with “-” would be taken for an option, also after a comma. */
const NO_OPTION = /^(?!\s*-)(?!.*[,\r\n]\s*-)[^\0]*$/;
const CREDENTIAL = /^[\w-]{1,64}$/;

const COMMAS = { list: ', ' };
const LINES = { list: '\n' };

const command = {
  'start-command': text(),
  'stop-command': text(),
  'status-command': text(),
  'server-limit': text(),
};

/** What a machine that is reached by ssh needs. */
const ssh = {
  'ssh-host': text({
    // What begins with “-” would be taken for an option.
    pattern: /^[A-Za-z0-9_:.[][A-Za-z0-9_:.[\]-]*$/,
    allowed: 'a name or an address such as login.cluster.example.org',
  }),
  'ssh-port': whole(1, 65_535, '22'),
  'ssh-jump': text({
    pattern: /^([A-Za-z0-9_][\w.-]*@)?[A-Za-z0-9][\w.-]*(:\d{1,5})?$/,
    allowed: 'a machine such as login.example.org or me@login.example.org:2222',
  }),
  'ssh-user': text({ pattern: /^[A-Za-z0-9_][\w.@-]*$/, allowed: 'a user name' }),
  'ssh-key': secret('SSH_KEY'),
  'ssh-known-hosts': text({ form: LINES }),
};

const ec2 = {
  'ec2-mode': words(['ephemeral', 'existing'], 'ephemeral'),
  'ec2-regions': text({ form: COMMAS }),
  'ec2-instance-id': text(),
  'ec2-scheduler-role': text({ pattern: ROLE_ARN, allowed: 'the ARN of a role' }),
  'ec2-launch-template': text(),
  'ec2-ami': text({ form: COMMAS }),
  'ec2-instance-types': text({
    pattern: /^[a-z][a-z0-9-]*\.[a-z0-9-]+([\s,]+[a-z][a-z0-9-]*\.[a-z0-9-]+)*[\s,]*$/,
    allowed: 'types such as g6.xlarge, g5.xlarge',
    form: COMMAS,
  }),
  'ec2-subnets': text({ form: COMMAS }),
  'ec2-security-groups': text({ form: COMMAS }),
  'ec2-instance-profile': text({ pattern: /^[\w+=,.@:/-]+$/, allowed: 'the name or ARN of an instance profile' }),
  'ec2-market': words(['on-demand', 'spot', 'spot-then-on-demand'], 'on-demand'),
  'ec2-disk-gb': whole(1, MAX_DISK_GB),
  'ec2-key-name': text(),
  'ec2-tags': text({ form: 'pairs' }),
};

/** A name as Compute Engine takes it (RFC 1035). */
const GCE_NAME = '[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?';
const GCE_PROJECT = '(?:[a-z][a-z0-9.-]*:)?[a-z][-a-z0-9]{4,28}[a-z0-9]';
const GCE_ACCOUNT = /^[a-z0-9][-a-z0-9.]*@[a-z0-9][-a-z0-9.]*\.[a-z]+$/;

const listOf = (entry: string) => new RegExp(`^[\\s,]*${entry}([\\s,]+${entry})*[\\s,]*$`);

const gce = {
  'gce-project': text({ pattern: new RegExp(`^${GCE_PROJECT}$`), allowed: 'the id of a project such as lab-diatoms' }),
  'gce-workload-identity-provider': text({
    pattern: /^projects\/\d+\/locations\/global\/workloadIdentityPools\/[-a-z0-9]+\/providers\/[-a-z0-9]+$/,
    allowed: 'a name such as projects/123456789/locations/global/workloadIdentityPools/github/providers/diatoms',
  }),
  'gce-service-account': text({ pattern: GCE_ACCOUNT, allowed: 'the address of a service account' }),
  'gce-key': secret('GCE_KEY'),
  'gce-zones': text({
    pattern: listOf('[a-z]+(?:-[a-z]+)+\\d+-[a-z][a-z0-9]*'),
    allowed: 'zones such as europe-west4-a, europe-west4-b',
    form: COMMAS,
  }),
  'gce-machine-types': text({
    pattern: listOf('[a-z]\\w*-[-a-z0-9]+(?:\\+[a-z][-a-z0-9]+)?'),
    allowed: 'machine types such as g2-standard-4, n1-standard-4+nvidia-tesla-t4',
    form: COMMAS,
  }),
  'gce-image': text({
    pattern: new RegExp(`^(projects/${GCE_PROJECT}/global/images/)?(family/)?${GCE_NAME}$`),
    allowed: 'an image such as diatoms-gpu, family/diatoms-gpu or projects/lab-images/global/images/family/diatoms-gpu',
  }),
  'gce-market': words(['on-demand', 'spot', 'spot-then-on-demand'], 'on-demand'),
  'gce-disk-gb': whole(10, MAX_DISK_GB),
  'gce-network': text({ pattern: new RegExp(`^${GCE_NAME}$`), allowed: 'the name of a network' }),
  'gce-subnet': text({ pattern: new RegExp(`^${GCE_NAME}$`), allowed: 'the name of a subnet' }),
  'gce-external-ip': truth('true'),
  'gce-delete-account': text({ pattern: GCE_ACCOUNT, allowed: 'the address of a service account' }),
};

const openstack = {
  'openstack-auth-url': text({
    pattern: /^https?:\/\/[^\s?#@]+\/v3\/?$/,
    allowed: 'an address that ends in /v3, such as https://keystone.example.org:5000/v3',
  }),
  'openstack-region': text(),
  'openstack-credential-id': text({ pattern: CREDENTIAL, allowed: 'the id of an application credential' }),
  'openstack-credential-secret': secret('OPENSTACK_SECRET'),
  'openstack-delete-id': text({ pattern: CREDENTIAL, allowed: 'the id of an application credential' }),
  'openstack-delete-secret': secret('OPENSTACK_DELETE_SECRET'),
  'openstack-image': text({ pattern: NO_OPTION, allowed: 'a name or an id' }),
  'openstack-flavors': text({ pattern: NO_OPTION, allowed: 'names such as gpu.a100, gpu.t4', form: COMMAS }),
  'openstack-zones': text({ pattern: NO_OPTION, allowed: 'availability zones such as nova', form: COMMAS }),
  'openstack-network': text({ pattern: NO_OPTION, allowed: 'a name or an id' }),
  'openstack-security-groups': text({ pattern: NO_OPTION, allowed: 'names or ids', form: COMMAS }),
  'openstack-key-name': text({ pattern: NO_OPTION, allowed: 'the name of a key pair' }),
  'openstack-disk-gb': whole(1, MAX_DISK_GB),
};

/** Of Slurm’s texts none begins with “-”: sbatch would take it for another option. */
const slurm = {
  'slurm-partition': text({ pattern: /^[\w.,+][\w.,+-]*$/, allowed: 'a partition such as gpu (sinfo lists them)' }),
  'slurm-account': text({
    pattern: /^[\w.+][\w.+-]*$/,
    allowed: 'an account such as biology (sacctmgr show associations)',
  }),
  'slurm-gres': text({
    fallback: 'gpu:1',
    pattern: /^[\w.,:=/()+][\w.,:=/()+-]*$/,
    allowed: 'GPUs such as gpu:1 or gpu:a100:2',
  }),
  'slurm-nodes': whole(1, 1_024, '1'),
  'slurm-cpus': whole(1, 4_096),
  'slurm-memory': text({ pattern: /^\d{1,9}[KMGT]?$/i, allowed: 'a size such as 32G' }),
  'slurm-options': text({ form: LINES }),
  'slurm-setup': text({ form: LINES }),
  'slurm-work-dir': text(),
};

export const DRIVER_NAMES = ['local', 'command', 'ec2', 'gce', 'openstack', 'slurm'] as const;
export type DriverName = (typeof DRIVER_NAMES)[number];

/** All inputs of all drivers. */
export const DRIVER_INPUTS = { ...command, ...ssh, ...ec2, ...gce, ...openstack, ...slurm };

interface DriverSchema {
  /** The inputs that only drivers with them read. */
  readonly inputs: Inputs;
  /** Which inputs a start can’t do without, whatever else there is. Of several names one is enough, and the first is the one to ask for. */
  readonly needs: readonly (readonly (keyof typeof DRIVER_INPUTS | 'gpu')[])[];
}

/** What each driver reads and needs, for settings files. How it is opened stands in gpu-server/driver-table.ts. */
export const DRIVER_SCHEMAS: Readonly<Record<DriverName, DriverSchema>> = {
  local: { inputs: {}, needs: [] },
  command: { inputs: { ...command, ...ssh }, needs: [['start-command'], ['stop-command'], ['status-command']] },
  ec2: { inputs: { ...ec2, ...BESIDE_INPUTS['gpu-server'] }, needs: [] },
  gce: { inputs: gce, needs: [['gce-project'], ['gce-zones'], ['gce-image'], ['gpu', 'gce-machine-types']] },
  openstack: {
    inputs: openstack,
    needs: [
      ['openstack-auth-url'],
      ['openstack-credential-id'],
      ['openstack-credential-secret'],
      ['openstack-image'],
      ['openstack-flavors'],
    ],
  },
  slurm: { inputs: { ...slurm, ...ssh }, needs: [] },
};
