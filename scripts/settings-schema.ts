import * as z from 'zod/mini';
import { fileListJsonSchema } from '../src/dataset/file-list.ts';
import type { JsonSchema, Kind } from '../src/schema/kinds.ts';
import { type ActionName, FILE_DEFAULTS, INPUT_SECTIONS, SECTIONS, type SectionName } from '../src/schema/sections.ts';
import { documentedMetadata, type ReadText } from './action-metadata.ts';

/** Whose `action.yml` describes the keys of a section. */
const ACTIONS: Readonly<Partial<Record<SectionName, ActionName>>> = {
  owncloud: 'prepare-data',
  data: 'prepare-data',
  train: 'train-model',
  'gpu-server': 'gpu-server',
  publish: 'publish-model',
};

const ABOUT: Readonly<Record<SectionName, string>> = {
  owncloud: 'The server and account of the data sets.',
  data: 'The data set: what it is made of, and how.',
  image: 'The image that trains and tests, and the registry where it goes.',
  train: 'The training.',
  'gpu-server': 'A GPU server that is started for each training. Without this section, a runner is there already.',
  publish: 'The model, its gate, and where it is published.',
};

/** Several labels are a list, and no text with commas. */
const LABEL = { type: 'string', pattern: '^[^\\[\\]{}"“”,]+$' };

const LABELS = { anyOf: [LABEL, { type: 'array', items: LABEL, minItems: 1 }] };

const RUNNER = {
  anyOf: [
    ...LABELS.anyOf,
    {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      properties: { group: LABEL, labels: LABELS },
    },
  ],
};

/** The JSON Schema of a settings file, for editors: from what the actions know, and what their action.yml says about it. */
export function settingsJsonSchema(read?: ReadText): JsonSchema {
  const sections = INPUT_SECTIONS.map((name) => [name, sectionSchema(name, read)]);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Settings of diatom workflows',
    type: 'object',
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(sections),
      runners: {
        description: 'Where jobs run, as in runs-on.',
        type: 'object',
        additionalProperties: false,
        properties: {
          default: { description: 'All jobs but those below.', default: 'ubuntu-latest', ...RUNNER },
          train: { description: 'A runner with a GPU, where no server is started.', ...RUNNER },
          server: { description: 'The jobs that start and stop a GPU server. Otherwise as default.', ...RUNNER },
        },
      },
    },
  };
}

function sectionSchema(name: SectionName, read: ReadText | undefined): JsonSchema {
  const action = ACTIONS[name];
  const described = action ? documentedMetadata(action, read).inputs : {};
  const properties = [...SECTIONS[name]].map(([key, { input, kind }]) => {
    const description = kind.description ?? described[input]?.description;
    if (description === undefined) throw new Error(`Nothing describes the key ${key} of the section ${name}`);
    return [key, { description, ...propertyOf(input, kind, FILE_DEFAULTS[name]?.[key]) }];
  });
  return {
    type: 'object',
    additionalProperties: false,
    description: ABOUT[name],
    properties: Object.fromEntries(properties),
  };
}

function propertyOf(input: string, kind: Kind, fallback = kind.fallback): JsonSchema {
  if (input === 'file-list') return { anyOf: [{ type: 'string' }, listSchema()] };
  if (typeof kind.giver === 'object') {
    return {
      type: 'string',
      pattern: '^secret [A-Za-z_][A-Za-z0-9_]*$',
      default: `secret ${kind.giver.secret}`,
    };
  }
  return { ...(fallback === '' ? {} : { default: typed(fallback, kind) }), ...shapeOf(kind) };
}

/** A default as it is written without quotation marks. */
function typed(fallback: string, { json }: Kind): unknown {
  if (json['type'] === 'boolean') return fallback === 'true';
  return json['type'] === 'integer' || json['type'] === 'number' ? Number(fallback) : fallback;
}

function shapeOf({ json, form }: Kind): JsonSchema {
  if (form === undefined) return json;
  const more = form === 'pairs' ? { type: 'object', additionalProperties: json } : { type: 'array', items: json };
  return { anyOf: [json, more] };
}

function listSchema(): JsonSchema {
  const { $schema: _, ...list } = z.record(z.string(), z.unknown()).parse(fileListJsonSchema());
  return list;
}
