import { isScalar, parseDocument, Scalar, visit } from 'yaml';
import { PARTS, SECTION_NAMES, SECTIONS } from '../schema/sections.ts';
import { jsonOf } from '../text/json.ts';

/** Variables of a repository whose names don’t follow from a key’s: where each belongs in the settings file. */
export const RENAMED: Readonly<Record<string, string>> = {
  OWNCLOUD_URL: 'owncloud.url',
  OWNCLOUD_USERNAME: 'owncloud.username',
  OWNCLOUD_FOLDER: 'owncloud.folder',
  DATA_ARTIFACT_NAME: 'data.artifact-name',
  PREPARE_CACHE: 'data.cache',
  PREPARE_TIMEOUT_MINUTES: 'data.timeout-minutes',
  REGISTRY_USERNAME: 'image.username',
  IMAGE_NAME: 'image.name',
  IMAGE_TAGS: 'image.tags',
  BUILD_CACHE: 'image.cache',
  BUILD_TIMEOUT_MINUTES: 'image.timeout-minutes',
  TRAIN_ENV: 'train.env',
  TRAIN_NETWORK: 'train.network',
  TRAIN_TIMEOUT_MINUTES: 'train.timeout-minutes',
  MODEL_ARTIFACT_NAME: 'train.artifact-name',
  RUNNER_APP_ID: 'gpu-server.app-id',
  MODELS_USERNAME: 'publish.username',
  MODELS_FOLDER: 'publish.folder',
  PUBLISH_TIMEOUT_MINUTES: 'publish.timeout-minutes',
  RUNS_ON: 'runners.default',
  TRAIN_RUNS_ON: 'runners.train',
  SERVER_RUNS_ON: 'runners.server',
};

/**
 * For a repository that still has the variables of before: the lines that say the same in a settings file.
 *
 * @param variables all variables of the repository, as JSON; they are no secrets
 * @returns `''` when none of them is set
 */
export function linesInstead(variables: string, path: string): string {
  const found = Object.entries(objectOf(variables)).flatMap(([name, value]) => {
    const place = placeOf(name.toUpperCase());
    return place === undefined || value === '' ? [] : [{ place, value, name }];
  });
  if (found.length === 0) return '';
  const document = parseDocument('{}');
  for (const section of SECTION_NAMES) {
    for (const { place, value } of found.filter(({ place: [first] }) => first === section)) {
      document.setIn(place, section === 'runners' ? runnerOf(value) : document.createNode(value));
    }
  }
  visit(document, {
    Map: (_, map) => {
      map.flow = false;
    },
    Scalar: (key, scalar) => {
      if (key === 'value' && isScalar<string>(scalar) && String(scalar.value).includes('\n')) {
        scalar.type = Scalar.BLOCK_LITERAL;
      }
    },
  });
  return `\n\nThe variables of this repository are not read any more. These lines in ${path} say the same as ${found.map(({ name }) => name).join(', ')}, which can then be deleted:\n\n${document.toString({ lineWidth: 0 })}`;
}

function placeOf(variable: string): string[] | undefined {
  const renamed = RENAMED[variable];
  if (renamed !== undefined) return renamed.split('.');
  const key = variable.toLowerCase().replaceAll('_', '-');
  // The account of the data sets stands above, and what several sections have was one stage’s variable only.
  const section = PARTS.find((name) => SECTIONS[name].has(key));
  return section === undefined ? undefined : [section, key];
}

function runnerOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

function objectOf(json: string): Record<string, string> {
  const parsed = jsonOf(json);
  if (typeof parsed !== 'object' || parsed === null) return {};
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, String(value)]));
}
