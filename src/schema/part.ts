import { DiatomError } from '../errors.ts';
import { didYouMean } from '../text/nearest.ts';
import type { Inputs } from './kinds.ts';
import { readYaml, textOf } from './yaml-map.ts';

/**
 * Reads the part of the settings that an action gets: a map from inputs to values, as YAML or JSON.
 *
 * @param inputs what the part may hold; secrets and what belongs to one run are refused
 * @throws DiatomError `INPUT` with all that is wrong, each with its line
 */
export function readPart(text: string, inputs: Inputs): Map<string, string> {
  if (text.trim() === '') return new Map();
  const yaml = readYaml(text);
  const faults = [...yaml.faults];
  const pairs = yaml.pairsOf(yaml.root);
  if (faults.length === 0 && pairs === undefined) {
    faults.push({ ...yaml.placeOf(yaml.root), sentence: 'this is not a map from names of inputs to values.' });
  }
  const values = new Map<string, string>();
  for (const { key, keyPlace, value, valuePlace } of (yaml.isLost ? undefined : pairs) ?? []) {
    const kind = inputs[key];
    if (kind === undefined) {
      faults.push({
        ...keyPlace,
        sentence: `there is no input ${key}.${didYouMean(key, Object.keys(inputs))}`,
      });
    } else if (typeof kind.giver === 'object') {
      faults.push({ ...keyPlace, sentence: `${key} is a secret: give it as the input ${key}, from a secret.` });
    } else {
      const found = textOf(value, kind.form);
      if ('found' in found)
        faults.push({ ...valuePlace, sentence: `${key} ${found.found}; allowed is ${kind.allowed}.` });
      else if (!kind.accepts(found.text)) {
        faults.push({ ...valuePlace, sentence: `${key} is “${found.text}”, allowed is ${kind.allowed}.` });
      } else values.set(key, found.text);
    }
  }
  if (faults.length === 0) return values;
  throw new DiatomError(
    'INPUT',
    ['Input settings:', ...faults.map(({ line, column, sentence }) => `${line}:${column} ${sentence}`)].join('\n- '),
  );
}
