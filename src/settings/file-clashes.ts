import { type Clash, dataClashes, neededOnNodes, serverClashes, type ValueOf } from '../schema/clashes.ts';
import type { Inputs } from '../schema/kinds.ts';
import { ACTION_INPUTS, type ActionName, FILE_DEFAULTS } from '../schema/sections.ts';
import type { Fault } from '../schema/yaml-place.ts';
import type { Sections, SectionValues } from './section-values.ts';

/** What contradicts itself, or is incomplete, although each value is fine. */
export function clashesOf(sections: Sections): Fault[] {
  const { owncloud, data, train, publish } = sections;
  const server = sections['gpu-server'];
  const account = owncloud.inputs.has('owncloud-url') || owncloud.places.has('owncloud-url');
  return [
    ...faults(data, dataClashes(valuesOf(data, 'prepare-data', FILE_DEFAULTS.data))),
    ...faults(server, [...serverClashes(valuesOf(server, 'gpu-server')), ...driverClashes(server)]),
    ...faults(server, nodeClashes(server, valuesOf(train, 'train-model'))),
    ...faults(publish, publishClashes(publish, account)),
  ];
}

function valuesOf(
  section: SectionValues,
  action: ActionName,
  defaults: Readonly<Record<string, string>> = {},
): ValueOf {
  const declared: Inputs = ACTION_INPUTS[action];
  return (input) =>
    section.inputs.get(input) ?? section.secrets.get(input) ?? defaults[input] ?? declared[input]?.fallback ?? '';
}

/** A clash stands where its input does; one about something that is missing, where its section begins. */
function faults(section: SectionValues, clashes: readonly Clash[]): Fault[] {
  const [first] = section.places.values();
  return clashes.flatMap(({ input, sentence }) => {
    const place = section.places.get(input) ?? first;
    if (place === undefined) return [];
    const key = section.places.get(input)?.key ?? `${place.key.replace(/\..*/, '')}.${input}`;
    return [{ line: place.line, column: place.column, sentence: `${key}: ${sentence}` }];
  });
}

/** What only one driver reads would be left aside in silence. */
function driverClashes({ inputs, secrets, places }: SectionValues): Clash[] {
  if (places.size === 0) return [];
  const driver = inputs.get('driver');
  if (driver === undefined) {
    return places.has('driver')
      ? []
      : [{ input: 'driver', sentence: 'is missing: local, command, ec2, gce, openstack or slurm.' }];
  }
  const others = [...inputs.keys(), ...secrets.keys()].flatMap((input): Clash[] => {
    const [, owner] = /^(ec2|gce|openstack|slurm|ssh)-/.exec(input) ?? [];
    const fits = owner === undefined || owner === driver || (owner === 'ssh' && ['slurm', 'command'].includes(driver));
    return fits ? [] : [{ input, sentence: `is for another driver than ${driver}.` }];
  });
  const needed = [
    ...(driver === 'command' ? ['start-command', 'stop-command', 'status-command'] : []),
    ...(driver === 'gce' ? ['gce-project', 'gce-zones', 'gce-image'] : []),
    ...(driver === 'gce' && !inputs.has('gce-machine-types') ? ['gpu'] : []),
    ...(driver === 'openstack' ? ['openstack-auth-url', 'openstack-credential-id', 'openstack-credential-secret'] : []),
    ...(inputs.has('ssh-host') ? ['ssh-user', 'ssh-known-hosts'] : []),
  ];
  const missing = needed.filter((input) => !inputs.has(input) && !secrets.has(input) && !places.has(input));
  return [...others, ...missing.map((input) => ({ input, sentence: 'is missing.' }))];
}

/** Of the cluster’s nodes with what trains on them. */
function nodeClashes({ inputs }: SectionValues, train: ValueOf): Clash[] {
  const nodes = Number(inputs.get('slurm-nodes') ?? 1);
  const needed = nodes > 1 ? neededOnNodes(train('engine'), train('train-command')) : undefined;
  return needed === undefined ? [] : [{ input: 'slurm-nodes', sentence: `${nodes} needs ${needed}` }];
}

function publishClashes({ inputs, secrets, places }: SectionValues, hasAccount: boolean): Clash[] {
  if (places.size === 0) return [];
  return [
    ...(places.has('model-name')
      ? []
      : [{ input: 'model-name', sentence: 'is missing: it names the model’s folder.' }]),
    ...(hasAccount ? [] : [{ input: 'model-name', sentence: 'can’t be published: owncloud.url is missing.' }]),
    ...(secrets.has('models-password') && !inputs.has('models-username')
      ? [{ input: 'models-password', sentence: 'is set without username: they are one account.' }]
      : []),
  ];
}
