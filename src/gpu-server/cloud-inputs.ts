import { DiatomError } from '../errors.ts';
import { checkedInput } from '../runner/inputs.ts';
import { GPU_SERVER } from '../schema/gpu-server.ts';

/** An input as its schema allows it; `''` when it is not set. @throws DiatomError `INPUT` */
export function checked(name: keyof typeof GPU_SERVER): string {
  return checkedInput(name, GPU_SERVER[name]);
}

/** @param what completes “give …” */
export function missing(driver: 'gce' | 'openstack', name: keyof typeof GPU_SERVER, what: string): DiatomError {
  return new DiatomError('INPUT', `Input ${name} is missing, and driver is ${driver}: give ${what}.`);
}
