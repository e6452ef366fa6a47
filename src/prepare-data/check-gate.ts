import { DiatomError } from '../errors.ts';
import { figureName, parseGate } from '../model/gate.ts';

/** How many labels a sentence names. */
const SHOWN = 20;

/**
 * Whether a model of this data set can pass a gate at all: it has a class for every label, and no other.
 *
 * @param hasOthers whether there are labels that only the zips tell
 * @throws DiatomError `INPUT` when it is no gate, or asks for a class that no label is
 */
export function checkGate(text: string, labels: ReadonlySet<string>, hasOthers: boolean): string {
  const conditions = parseGate(text);
  const unknown = conditions.filter(({ label }) => label !== undefined && !labels.has(label));
  if (unknown.length === 0) {
    const classes = new Set(conditions.flatMap(({ label }) => (label === undefined ? [] : [label])));
    return `${conditions.length} to pass; every class that it names is a label (${classes.size})`;
  }
  if (hasOthers) {
    return `${conditions.length} to pass; whether the data set has ${unknown.map(figureName).join(', ')}, only the folders of its zips tell`;
  }
  const known = [...labels].sort();
  const more = known.length > SHOWN ? ` and ${known.length - SHOWN} more` : '';
  throw new DiatomError(
    'INPUT',
    `no model of this data set could pass: the gate asks for ${unknown.map(figureName).join(', ')}, and the file list has no such species_label. It has ${known.slice(0, SHOWN).join(', ')}${more}.`,
  );
}
