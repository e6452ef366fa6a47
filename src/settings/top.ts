import { isScalar, isSeq } from 'yaml';
import { SECTION_NAMES } from '../schema/sections.ts';
import type { Pair, Value, YamlText } from '../schema/yaml-map.ts';
import type { Fault } from '../schema/yaml-place.ts';
import { unknownSection } from './unknown-key.ts';

/** The sections of a file, and what is wrong at its top. */
export function sectionsOf(yaml: YamlText): { sections: Map<string, Pair>; faults: Fault[] } {
  const sections = new Map<string, Pair>();
  const pairs = yaml.pairsOf(yaml.root);
  if (pairs === undefined) {
    const sentence = `${whatIsThere(yaml.root)} Allowed are the sections ${SECTION_NAMES.join(', ')}, each with its keys below it.`;
    return { sections, faults: [{ ...yaml.placeOf(yaml.root), sentence }] };
  }
  const workflow = pairs.find(({ key }) => key === 'jobs');
  if (workflow !== undefined) {
    const sentence =
      'this is a workflow, and no settings file: workflows lie in .github/workflows, and the settings begin with a copy of templates/diatoms.yml.';
    return { sections, faults: [{ ...workflow.keyPlace, sentence }] };
  }
  const faults: Fault[] = [];
  for (const pair of pairs) {
    const { key, keyPlace, value, valuePlace } = pair;
    if (!SECTION_NAMES.includes(key)) faults.push({ ...keyPlace, sentence: unknownSection(key) });
    else if (yaml.pairsOf(value) === undefined) faults.push({ ...valuePlace, sentence: notAMap(key, value) });
    else sections.set(key, pair);
  }
  return { sections, faults };
}

function whatIsThere(root: Value): string {
  if (isSeq(root)) return 'the file is a list: take away the “-” before its sections.';
  return root === null || (isScalar(root) && root.value === null)
    ? 'there is no section: the file is empty, or holds comments only.'
    : 'there is no section: this is one text.';
}

/** What stands where the keys of a section should. */
function notAMap(section: string, value: Value): string {
  const what = `${section} has to be a map: keys with values, below it and indented.`;
  if (value === null || (isScalar(value) && value.value === null)) {
    return `${what} There is nothing: if you need no key of it, take the line out.`;
  }
  if (isSeq(value)) return `${what} There is a list: take away the “-” before its keys.`;
  const isTight = isScalar(value) && /^[\w-]+:\S/.test(String(value.value));
  return isTight ? `${what} A space is missing behind a colon.` : what;
}
