import { decodeText } from '../dataset/decode-text.ts';
import { DiatomError } from '../errors.ts';
import {
  FILE_DEFAULTS,
  IMAGE_DEFAULTS,
  type PartName,
  SECTIONS,
  type Section,
  type SectionName,
} from '../schema/sections.ts';
import { type Pair, readYaml, textOf, type Value, type YamlText } from '../schema/yaml-map.ts';
import type { Fault, Place } from '../schema/yaml-place.ts';
import { clashesOf } from './file-clashes.ts';
import { type Runners, readRunners } from './job-runners.ts';
import { type FilesOptions, readFiles } from './list-of-files.ts';
import { secretName } from './secrets.ts';
import type { Sections, SectionValues } from './section-values.ts';
import { sectionsOf } from './top.ts';
import { unknownKey } from './unknown-key.ts';
import { whyWrong } from './why-wrong.ts';

export interface SettingsOptions extends FilesOptions {
  /** How errors name the file. */
  readonly where: string;
  /** The commit of the file; `undefined` where nobody knows it. */
  readonly commit?: string | undefined;
}

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
  if (yaml.isLost) throw refused(yaml.faults, options.where);
  const { sections, faults } = sectionsOf(yaml);
  const section = (name: SectionName) => readSection(name, sections.get(name), yaml, options, faults);
  const all: Sections = {
    owncloud: section('owncloud'),
    data: section('data'),
    image: section('image'),
    train: section('train'),
    'gpu-server': section('gpu-server'),
    publish: section('publish'),
  };
  const { runners, faults: wrongRunners } = readRunners(sections.get('runners')?.value, yaml);
  faults.push(...wrongRunners, ...clashesOf(all));
  // What is not YAML spoils its line: whatever else is said about it misleads.
  const spoilt = new Set(yaml.faults.map(({ line }) => line));
  const wrong = [...yaml.faults, ...faults.filter(({ line }) => !spoilt.has(line))];
  if (wrong.length > 0) throw refused(wrong, options.where);
  return {
    parts: partsOf(all, options.commit),
    runners,
    secrets: new Map(Object.values(all).flatMap((section) => [...section.secrets])),
  };
}

/** The one form in which a settings file is refused. */
function refused(faults: readonly Fault[], where: string): DiatomError {
  const sorted = [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  const lines = sorted.map(({ line, column, sentence }) => `${where}:${line}:${column}: ${sentence}`);
  return new DiatomError('INPUT', [`The settings (${where}) have ${count}:`, ...lines].join('\n- '));
}

/**
 * The text of a settings file, as an editor has saved it.
 *
 * @throws DiatomError `INPUT` when it is saved in an encoding that nobody can know
 */
export function fileText(bytes: Uint8Array, where: string): string {
  const decoded = decodeText(bytes);
  if ('text' in decoded) return decoded.text;
  const sentence =
    'this line has bytes that are not text in UTF-8 (“ü” saved as “ANSI”, say): save the file again with the encoding UTF-8.';
  throw refused([{ line: decoded.wrongLine, column: 1, sentence }], where);
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
    const wrong =
      'found' in found
        ? { why: `${found.found}; allowed is ${kind.allowed}.`, part: found.part }
        : whyWrong(found.text, value, kind, options);
    if (wrong !== undefined) {
      const place = wrong.part ? yaml.placeOf(wrong.part) : valuePlace;
      faults.push({ ...place, sentence: `${name}.${key}: ${wrong.why}` });
    } else if ('text' in found) {
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

/** Each stage with what it needs of the others. */
function partsOf(sections: Sections, commit: string | undefined): Settings['parts'] {
  const { owncloud, data, image, train, publish } = sections;
  const server = Object.fromEntries(owncloud.inputs);
  const gpu = sections['gpu-server'].inputs;
  const provenance = commit === undefined ? {} : { 'settings-commit': commit };
  const user = image.inputs.get('registry-username');
  const model = publish.inputs.get('model-name');
  const production = [publish.inputs.get('models-folder') ?? 'models', model, 'production'].join('/');
  return {
    data: { ...server, ...FILE_DEFAULTS.data, ...Object.fromEntries(data.inputs), ...provenance },
    image: { ...IMAGE_DEFAULTS, ...Object.fromEntries([...image.inputs].filter(([, value]) => value !== '')) },
    train: {
      ...server,
      ...(user === undefined ? {} : { 'registry-username': user }),
      // A new model is compared with the one that it is to replace.
      ...(model === undefined || Object.keys(server).length === 0 ? {} : { 'compare-with': production }),
      ...FILE_DEFAULTS.train,
      ...Object.fromEntries(train.inputs),
      ...provenance,
    },
    'gpu-server': { ...(gpu.has('driver') ? server : {}), ...Object.fromEntries(gpu) },
    publish: { ...server, ...Object.fromEntries(publish.inputs), ...provenance },
  };
}
