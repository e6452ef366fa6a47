import { isMap, isScalar, isSeq } from 'yaml';
import type { Value, YamlText } from '../schema/yaml-map.ts';
import type { Fault } from '../schema/yaml-place.ts';
import { unknownKey } from './unknown-key.ts';

/** Each is JSON for `fromJSON` in `runs-on`. */
export interface Runners {
  readonly default: string;
  readonly train: string;
  readonly server: string;
}

const RUNNERS = ['default', 'train', 'server'] as const;
const ALLOWED =
  'a name such as ubuntu-latest, labels such as [self-hosted, gpu], or a group such as { group: gpus, labels: gpu }';

/** Reads the section `runners`. */
export function readRunners(section: Value | undefined, yaml: YamlText): { runners: Runners; faults: Fault[] } {
  const faults: Fault[] = [];
  const given = new Map<string, string>();
  for (const { key, keyPlace, value, valuePlace } of (section && yaml.pairsOf(section)) ?? []) {
    if (!RUNNERS.some((name) => name === key)) {
      faults.push({ ...keyPlace, sentence: unknownKey('runners', key, RUNNERS) });
    } else if (isRunner(value)) given.set(key, JSON.stringify(value?.toJSON()));
    else faults.push({ ...valuePlace, sentence: `runners.${key}: allowed is ${ALLOWED}.` });
  }
  const fallback = given.get('default') ?? '"ubuntu-latest"';
  const runners = {
    default: fallback,
    train: given.get('train') ?? '["self-hosted","gpu"]',
    server: given.get('server') ?? fallback,
  };
  return { runners, faults };
}

function isRunner(value: Value): boolean {
  if (isScalar(value)) return isLabel(value);
  if (isSeq(value)) return value.items.length > 0 && value.items.every(isLabel);
  if (!isMap(value) || value.items.length === 0) return false;
  return value.items.every(
    ({ key, value: found }) =>
      isScalar(key) &&
      ((key.value === 'group' && isLabel(found)) ||
        (key.value === 'labels' && (isLabel(found) || (isSeq(found) && found.items.every(isLabel))))),
  );
}

/** JSON in a text, or several labels in one, would be handed on as the name of a runner that nobody has. */
function isLabel(value: unknown): boolean {
  return isScalar(value) && typeof value.value === 'string' && /^[^[\]{}"“”,\s][^[\]{}"“”,]*$/.test(value.value);
}
