import { BESIDE_INPUTS, JOB } from './beside-inputs.ts';
import { BUILD_IMAGE } from './build-image.ts';
import { folder, OWNCLOUD } from './common.ts';
import { GPU_SERVER } from './gpu-server.ts';
import type { Inputs, Kind } from './kinds.ts';
import { PREPARE_DATA } from './prepare-data.ts';
import { PUBLISH_MODEL } from './publish-model.ts';
import { TRAIN_MODEL } from './train-model.ts';

export const PARTS = ['data', 'image', 'train', 'gpu-server', 'publish'] as const;
export type PartName = (typeof PARTS)[number];

/** The sections of the settings file whose keys stand for inputs. */
export const INPUT_SECTIONS = ['owncloud', ...PARTS] as const;
export type SectionName = (typeof INPUT_SECTIONS)[number];

/** The actions, and what they take. */
export const ACTION_INPUTS = {
  'prepare-data': PREPARE_DATA,
  'train-model': TRAIN_MODEL,
  'gpu-server': GPU_SERVER,
  'publish-model': PUBLISH_MODEL,
} as const satisfies Readonly<Record<string, Inputs>>;
export type ActionName = keyof typeof ACTION_INPUTS;

/** The keys of a section, each with the input that it stands for. */
export type Section = ReadonlyMap<string, { readonly input: string; readonly kind: Kind }>;

/** Those sections by their keys. */
export const SECTIONS = {
  owncloud: sectionOf({ ...OWNCLOUD, 'owncloud-folder': folder() }, (input) => input.replace('owncloud-', '')),
  data: sectionOf({ ...PREPARE_DATA, ...BESIDE_INPUTS['prepare-data'] }, (input) =>
    input === 'file-list' ? 'files' : input === 'job-timeout-minutes' ? 'timeout-minutes' : ofStage(input),
  ),
  image: sectionOf({ ...BUILD_IMAGE, ...JOB }, (input) =>
    input === 'job-timeout-minutes'
      ? 'timeout-minutes'
      : input.replace(/^(registry|image)-(?=username|password|name)/, ''),
  ),
  train: sectionOf({ ...TRAIN_MODEL, ...BESIDE_INPUTS['train-model'] }, ofStage),
  'gpu-server': sectionOf({ ...GPU_SERVER, ...BESIDE_INPUTS['gpu-server'] }, ofStage),
  publish: sectionOf({ ...PUBLISH_MODEL, ...BESIDE_INPUTS['publish-model'] }, (input) =>
    input === 'job-timeout-minutes' ? 'timeout-minutes' : ofStage(input)?.replace('models-', ''),
  ),
} as const satisfies Readonly<Record<SectionName, Section>>;

/** All that a settings file may have at its top, in the order in which they are written. */
export const SECTION_NAMES: readonly string[] = [...INPUT_SECTIONS, 'runners'];

/** What the file says to a part when its section does not; the actions alone have other defaults. */
export const FILE_DEFAULTS: Readonly<Partial<Record<SectionName, Readonly<Record<string, string>>>>> = {
  // What is run month after month has to be comparable over time, and new samples have to reach test.
  data: { split: 'keep', 'n-test': '20%' },
  // An hour less than a GPU server lives at the most (max-hours), so that what was trained can be saved.
  train: { 'timeout-minutes': '660' },
};

/** What is built when nobody says otherwise: a workflow reads it, which knows no schema. */
export const IMAGE_DEFAULTS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(BUILD_IMAGE).flatMap(([input, { fallback }]) => (fallback === '' ? [] : [[input, fallback]])),
);

/** What the section `owncloud` says already, no other section says again. */
function ofStage(input: string): string | undefined {
  return input.startsWith('owncloud-') ? undefined : input;
}

function sectionOf(inputs: Inputs, keyOf: (input: string) => string | undefined): Section {
  return new Map(
    Object.entries(inputs).flatMap(([input, kind]) => {
      const key = kind.giver === 'run' ? undefined : keyOf(input);
      return key === undefined ? [] : [[key, { input, kind }]];
    }),
  );
}
