import type { DriverName } from '../schema/driver-inputs.ts';
import { openCommand } from './command-driver.ts';
import { commandInputs } from './command-inputs.ts';
import type { Driver } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { openEc2 } from './ec2-driver.ts';
import { ec2Inputs } from './ec2-inputs.ts';
import { openGce } from './gce-driver.ts';
import { gceInputs } from './gce-inputs.ts';
import { openHost } from './host.ts';
import { openLocal } from './local-driver.ts';
import { openOpenstack } from './openstack-driver.ts';
import { openstackInputs } from './openstack-inputs.ts';
import { openSlurm } from './slurm-driver.ts';
import { slurmInputs } from './slurm-inputs.ts';
import { sshInputs } from './ssh-inputs.ts';

export type OpenDriver = (context: DriverContext) => Promise<Driver>;

/**
 * Reads the inputs of a driver, and returns what opens it: what is wrong in them is said before anything is done. What
 * each driver reads is declared in schema/driver-inputs.ts.
 *
 * @throws DiatomError `INPUT`
 */
export const DRIVERS: Readonly<Record<DriverName, (env: NodeJS.ProcessEnv) => OpenDriver>> = {
  local: () => async () => openLocal(),
  command() {
    const ssh = sshInputs();
    const settings = commandInputs(ssh !== undefined);
    return async (context) => openCommand({ ...settings, host: await openHost(ssh, context) }, context);
  },
  ec2() {
    const settings = ec2Inputs();
    return async (context) => openEc2(settings, context);
  },
  gce(env) {
    const settings = gceInputs(env);
    return async (context) => openGce(settings, context);
  },
  openstack() {
    const settings = openstackInputs();
    return async (context) => openOpenstack(settings, context);
  },
  slurm() {
    const ssh = sshInputs();
    const settings = slurmInputs();
    return async (context) => openSlurm({ ...settings, host: await openHost(ssh, context) }, context);
  },
};
