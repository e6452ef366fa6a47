import { type Clash, dataClashes, neededOnNodes, serverClashes, type ValueOf } from '../schema/clashes.ts';
import { DRIVER_NAMES, DRIVER_SCHEMAS, type DriverName } from '../schema/driver-inputs.ts';
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

/** What only other drivers read would be left aside in silence. */
function driverClashes({ inputs, secrets, places }: SectionValues): Clash[] {
  if (places.size === 0) return [];
  const given = inputs.get('driver');
  const instead = `Write ${either(DRIVER_NAMES)}, or take the whole section out where no server is to be started.`;
  if (given === undefined) return places.has('driver') ? [] : [{ input: 'driver', sentence: `is missing. ${instead}` }];
  const keys = [...inputs.keys(), ...secrets.keys()];
  const driver = DRIVER_NAMES.find((name) => name === given);
  if (driver === undefined) {
    // An empty one by itself means that there is no server.
    return keys.some((input) => ownersOf(input).length > 0)
      ? [{ input: 'driver', sentence: `is empty, and other lines of the section are for one. ${instead}` }]
      : [];
  }
  const others = keys.flatMap((input): Clash[] => {
    const owners = ownersOf(input);
    const fits = owners.length === 0 || owners.includes(driver);
    return fits ? [] : [{ input, sentence: `is for ${either(owners)}, and driver is ${driver}: take it out.` }];
  });
  const isGiven = (input: string) => inputs.has(input) || secrets.has(input) || places.has(input);
  const needed = [
    ...DRIVER_SCHEMAS[driver].needs,
    ...(inputs.has('ssh-host') && ownersOf('ssh-host').includes(driver) ? [['ssh-user'], ['ssh-known-hosts']] : []),
  ];
  const missing = needed.filter((choice) => !choice.some(isGiven)).flatMap(([first = '']) => first);
  const sentence = `is missing, and driver is ${driver}: docs/gpu-server-${driver}.md says what belongs there.`;
  return [...others, ...missing.map((input) => ({ input, sentence }))];
}

/** The drivers that read an input; none for one that is for all of them. */
function ownersOf(input: string): DriverName[] {
  return DRIVER_NAMES.filter((name) => Object.hasOwn(DRIVER_SCHEMAS[name].inputs, input));
}

function either(names: readonly string[]): string {
  return [names.slice(0, -1).join(', '), ...names.slice(-1)].filter((part) => part !== '').join(' or ');
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
