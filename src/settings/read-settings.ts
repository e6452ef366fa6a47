import { DiatomError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import type { Kind } from '../schema/kinds.ts';
import {
  FILE_DEFAULTS,
  type PartName,
  SECTION_NAMES,
  SECTIONS,
  type Section,
  type SectionName,
} from '../schema/sections.ts';
import { type Fault, type Pair, type Place, readYaml, textOf, type Value, type YamlText } from '../schema/yaml-map.ts';
import { clashesOf } from './clashes.ts';
import { type FilesOptions, readFiles } from './list-of-files.ts';
import { type Runners, readRunners } from './runners.ts';
import { secretName, whyNoSecret } from './secrets.ts';
import { unknownKey } from './unknown-key.ts';

export interface SettingsOptions extends FilesOptions {
  /** How errors name the file. */
  readonly where: string;
  /** The commit of the file; `undefined` where nobody knows it. */
  readonly commit?: string | undefined;
}

/** What stands in one section: values of inputs, and where each stands. */
export interface SectionValues {
  readonly inputs: ReadonlyMap<string, string>;
  /** Names of secrets by the input that they belong to. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly places: ReadonlyMap<string, Place & { readonly key: string }>;
}

export type Sections = Readonly<Record<SectionName, SectionValues>>;

/** A settings file, checked. */
export interface Settings {
  /** What each stage gets: inputs of its action, no secret. */
  readonly parts: Readonly<Record<PartName, Readonly<Record<string, string>>>>;
  readonly runners: Runners;
  /** Names of secrets by the input that they belong to. */
  readonly secrets: ReadonlyMap<string, string>;
}

/**
 * Reads a settings file.
 *
 * @throws DiatomError `INPUT` with all that is wrong, each with line and column and what is allowed
 */
export function readSettings(text: string, options: SettingsOptions): Settings {
  const yaml = readYaml(text);
  const faults: Fault[] = [...yaml.faults];
  const found = sectionsOf(yaml, faults);
  const section = (name: SectionName) => readSection(name, found.get(name), yaml, options, faults);
  const all: Sections = {
    owncloud: section('owncloud'),
    data: section('data'),
    image: section('image'),
    train: section('train'),
    'gpu-server': section('gpu-server'),
    publish: section('publish'),
  };
  const { runners, faults: wrongRunners } = readRunners(found.get('runners')?.value, yaml);
  faults.push(...wrongRunners, ...clashesOf(all));
  refuse(faults, options.where);
  return {
    parts: partsOf(all, options.commit),
    runners,
    secrets: new Map(Object.values(all).flatMap((section) => [...section.secrets])),
  };
}

/** The one form in which a settings file is refused. */
export function refuse(faults: readonly Fault[], where: string): void {
  if (faults.length === 0) return;
  const sorted = [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  const lines = sorted.map(({ line, column, sentence }) => `${where}:${line}:${column}: ${sentence}`);
  throw new DiatomError('INPUT', [`The settings (${where}) have ${count}:`, ...lines].join('\n- '));
}

function sectionsOf(yaml: YamlText, faults: Fault[]): Map<string, Pair> {
  const pairs = yaml.pairsOf(yaml.root);
  const sections = new Map<string, Pair>();
  if (pairs === undefined && faults.length === 0) {
    faults.push({ line: 1, column: 1, sentence: `there is no section. Allowed are ${SECTION_NAMES.join(', ')}.` });
  }
  for (const pair of pairs ?? []) {
    const { key, keyPlace, value, valuePlace } = pair;
    if (!SECTION_NAMES.includes(key)) {
      const sentence = `there is no section ${key}. Did you mean ${nearest(key, SECTION_NAMES)}? Allowed are ${SECTION_NAMES.join(', ')}.`;
      faults.push({ ...keyPlace, sentence });
    } else if (yaml.pairsOf(value) === undefined) {
      faults.push({ ...valuePlace, sentence: `${key} has to be a map: keys with values, below it and indented.` });
    } else sections.set(key, pair);
  }
  return sections;
}

function readSection(
  name: SectionName,
  section: Pair | undefined,
  yaml: YamlText,
  options: SettingsOptions,
  faults: Fault[],
): SectionValues {
  const keys: Section = SECTIONS[name];
  const [inputs, secrets] = [new Map<string, string>(), new Map<string, string>()];
  const places = new Map<string, Place & { key: string }>();
  for (const pair of (section && yaml.pairsOf(section.value)) ?? []) {
    const { key, keyPlace, value, valuePlace } = pair;
    const known = keys.get(key);
    if (known === undefined) {
      faults.push({ ...keyPlace, sentence: unknownKey(name, key, [...keys.keys()]) });
      continue;
    }
    const { input, kind } = known;
    places.set(input, { ...valuePlace, key: `${name}.${key}` });
    if (input === 'file-list') {
      const { files, faults: wrong } = readFiles(pair, yaml, options);
      faults.push(...wrong);
      for (const [list, content] of Object.entries(files)) inputs.set(list, content);
      if (Object.keys(files).length === 0) secrets.set(input, nameIn(value) ?? 'FILE_LIST');
      continue;
    }
    const found = textOf(value, kind.form);
    const why = 'found' in found ? `${found.found}; allowed is ${kind.allowed}.` : whyWrong(found.text, kind, options);
    if (why !== undefined) faults.push({ ...valuePlace, sentence: `${name}.${key}: ${why}` });
    else if ('text' in found) {
      if (typeof kind.giver === 'object') secrets.set(input, secretName(found.text) ?? kind.giver.secret);
      else inputs.set(input, found.text);
    }
  }
  return { inputs, secrets, places };
}

function nameIn(value: Value): string | undefined {
  const found = textOf(value, undefined);
  return 'text' in found ? secretName(found.text) : undefined;
}

function whyWrong(value: string, kind: Kind, { inWorkflow }: SettingsOptions): string | undefined {
  const { giver } = kind;
  if (typeof giver === 'object') return whyNoSecret(value, giver.secret, inWorkflow);
  const name = secretName(value);
  if (name !== undefined)
    return `is no secret here, and can’t come from ${name}: write the value itself; allowed is ${kind.allowed}.`;
  return kind.accepts(value) ? undefined : `is “${value}”, allowed is ${kind.allowed}.`;
}

/** Each stage with what it needs of the others. */
function partsOf(sections: Sections, commit: string | undefined): Settings['parts'] {
  const { owncloud, data, image, train, publish } = sections;
  const server = Object.fromEntries(owncloud.inputs);
  const { 'owncloud-folder': _, ...account } = server;
  const provenance = commit === undefined ? {} : { 'settings-commit': commit };
  const user = image.inputs.get('registry-username');
  const model = publish.inputs.get('model-name');
  const production = [publish.inputs.get('models-folder') ?? 'models', model, 'production'].join('/');
  return {
    data: { ...server, ...FILE_DEFAULTS.data, ...Object.fromEntries(data.inputs), ...provenance },
    image: Object.fromEntries(image.inputs),
    train: {
      ...server,
      ...(user === undefined ? {} : { 'registry-username': user }),
      // A new model is compared with the one that it is to replace.
      ...(model === undefined || Object.keys(server).length === 0 ? {} : { 'compare-with': production }),
      ...FILE_DEFAULTS.train,
      ...Object.fromEntries(train.inputs),
      ...provenance,
    },
    'gpu-server': Object.fromEntries(sections['gpu-server'].inputs),
    publish: { ...account, ...Object.fromEntries(publish.inputs), ...provenance },
  };
}
