import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readInputs } from '../../src/gpu-server/inputs.ts';
import { DRIVER_NAMES, type DriverName } from '../../src/schema/driver-inputs.ts';
import { defaultsOf, setInputs, temporaryFolder } from '../helpers/runner.ts';

const RUN = { GITHUB_REPOSITORY: 'lab/diatoms', GITHUB_RUN_ID: '7', GITHUB_RUN_ATTEMPT: '1' };

const SSH = {
  'ssh-host': 'gpu.example.org',
  'ssh-user': 'me',
  'ssh-key': 'KEY',
  'ssh-known-hosts': 'gpu ssh-ed25519 A',
};

/** What a start needs with each driver, and how its sentences go. */
const CASES: Readonly<Record<DriverName, { inputs: Readonly<Record<string, string>>; says: readonly RegExp[] }>> = {
  local: { inputs: {}, says: [/always on/, /switch it off/, /nothing/] },
  command: {
    inputs: { 'start-command': 'wake', 'stop-command': 'sleep', 'status-command': 'say', ...SSH },
    says: [/start-command starts \(on gpu\.example\.org\)/, /run stop-command yourself/, /ssh-host/],
  },
  ec2: {
    inputs: { 'ec2-regions': 'eu-central-1', 'ec2-ami': 'ami-0a', 'ec2-instance-types': 'g6.xlarge' },
    says: [/EC2 instance in eu-central-1/, /open the EC2 console/, /ec2-regions/],
  },
  gce: {
    inputs: { 'gce-project': 'lab-diatoms', 'gce-zones': 'europe-west4-a', 'gce-image': 'gpu', gpu: 'L4' },
    says: [/Compute Engine in the project lab-diatoms/, /Google Cloud console/, /gce-project/],
  },
  openstack: {
    inputs: {
      'openstack-auth-url': 'https://keystone.example.org/v3',
      'openstack-credential-id': 'id',
      'openstack-credential-secret': 'secret',
      'openstack-image': 'gpu',
      'openstack-flavors': 'gpu.t4',
    },
    says: [/keystone\.example\.org/, /dashboard/, /openstack-auth-url/],
  },
  slurm: { inputs: SSH, says: [/Slurm cluster that gpu\.example\.org belongs to/, /scancel --name/, /ssh-host/] },
};

test.each(DRIVER_NAMES)(
  '%s is opened by its inputs, says how it is ended by hand and where it is, and leaves nothing',
  async (name) => {
    const temporary = temporaryFolder('driver-table');
    const { inputs, says } = CASES[name];
    setInputs({ ...defaultsOf('gpu-server'), mode: 'start', driver: name, ...inputs });
    const context = {
      signal: new AbortController().signal,
      env: {},
      temporary,
      repository: 'lab/diatoms',
      limits: { answerMs: 1, stopMs: 1, startMs: 1 },
      onWarning: () => {},
    };
    const driver = await readInputs(RUN).openDriver(context);
    const sentences = [driver.description, driver.byHand, driver.whereToLook];
    for (const [index, pattern] of says.entries()) expect(sentences[index]).toMatch(pattern);
    // The key of ssh lies there as long as it is needed.
    expect(readdirSync(temporary)).toHaveLength('ssh-key' in inputs ? 1 : 0);
    await driver.close();
    expect(readdirSync(temporary)).toEqual([]);
  },
);
