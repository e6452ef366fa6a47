import { type Clash, dataClashes, neededOnNodes, serverClashes, type ValueOf } from '../schema/clashes.ts';
import { DRIVER_NAMES, DRIVER_SCHEMAS } from '../schema/driver-inputs.ts';
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
  if (given === undefined) {
    const names = `${DRIVER_NAMES.slice(0, -1).join(', ')} or ${DRIVER_NAMES.at(-1)}`;
    return places.has('driver') ? [] : [{ input: 'driver', sentence: `is missing: ${names}.` }];
  }
  // An empty one means that there is no server.
  const driver = DRIVER_NAMES.find((name) => name === given);
  const { inputs: own, needs } = driver ? DRIVER_SCHEMAS[driver] : { inputs: {}, needs: [] };
  const others = [...inputs.keys(), ...secrets.keys()].filter(
    (input) =>
      !Object.hasOwn(own, input) &&
      Object.values(DRIVER_SCHEMAS).some(({ inputs: ofDriver }) => Object.hasOwn(ofDriver, input)),
  );
  const isGiven = (input: string) => inputs.has(input) || secrets.has(input) || places.has(input);
  const needed = [...needs, ...(inputs.has('ssh-host') && driver ? [['ssh-user'], ['ssh-known-hosts']] : [])];
  const missing = needed.flatMap(([first, ...others]) =>
    first === undefined || [first, ...others].some(isGiven) ? [] : [first],
  );
  return [
    ...others.map((input) => ({
      input,
      sentence: driver ? `is for another driver than ${driver}.` : 'needs a driver, and driver is empty.',
    })),
    ...missing.map((input) => ({ input, sentence: 'is missing.' })),
  ];
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
