import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Document, isScalar, parse, visit } from 'yaml';
import * as z from 'zod/mini';
import { ROOT, readActionMetadata } from './action-metadata.ts';

const inputSchema = z.object({
  description: z.string(),
  type: z.enum(['string', 'number', 'boolean', 'choice']),
  required: z.optional(z.boolean()),
  default: z.optional(z.union([z.string(), z.number(), z.boolean()])),
  options: z.optional(z.array(z.string())),
});

const inputsSchema = z.record(z.string(), inputSchema);

/** One input of a reusable workflow. */
export type WorkflowInput = z.infer<typeof inputSchema>;

const workflowSchema = z.object({
  on: z.object({
    workflow_call: z.object({
      inputs: inputsSchema,
      secrets: z.record(z.string(), z.object({ description: z.string() })),
      outputs: z.optional(z.record(z.string(), z.object({ description: z.string() }))),
    }),
  }),
});

/** What a caller of one of the reusable workflows sees. */
export type WorkflowInterface = z.infer<typeof workflowSchema>['on']['workflow_call'];

/** GitHub shows no more inputs than this in the form that starts a workflow by hand. */
export const MAX_FORM_INPUTS = 25;

/** A step or job that gets its inputs passed on. */
interface Target {
  /** Defaults that are better than the action’s own in a workflow. */
  readonly defaults?: Readonly<Record<string, string>>;
  /** What is given by hand in the YAML, as a secret for example, or has no use there; with the reason. */
  readonly except: Readonly<Record<string, string>>;
  /** What the input is called in the workflow, where that differs. */
  readonly renamed?: Readonly<Record<string, string>>;
}

interface Spec {
  /** Steps, by the folder of their action, or by a name of their own where `action` says the folder. */
  readonly actions?: Readonly<Record<string, Target & { readonly action?: string }>>;
  /** Workflows by file name without its end. */
  readonly workflows?: Readonly<Record<string, Target>>;
  /** What the form leaves out: it stays the same from run to run, and comes from a variable of the repository. */
  readonly fromVariables: readonly string[];
  /** Of these, what the form has nevertheless: what is left empty there comes from the variable. */
  readonly alsoInForm?: readonly string[];
  /** What only a caller can give, and neither the form nor a variable, as it tells one call from another. */
  readonly fromCaller?: readonly string[];
}

const SECRET = 'a secret';
const WIRED = 'comes from the job before';
const CHECKS = 'nothing is made by a check';
const ALONE = 'a version that is there takes publish-model.yml alone';
const NOT_ASKED = 'the check of a machine does not look at it';
const ELSEWHERE = 'a job of its own checks';
const DECIDES = 'the pipeline decides before it calls this workflow';
const UNTRAINED = 'nothing is trained by a decision';

const PUBLISHING = {
  'owncloud-password': SECRET,
  'models-password': SECRET,
  'github-token': 'the job’s own',
  'model-dir': 'the workspace of this job is empty',
  check: 'nothing is published by a check',
};

const GPU_SERVER: Target = {
  except: {
    mode: 'follows from the job',
    key: 'is by default the artifact’s name',
    'aws-sign-in': 'comes from the step before',
    'github-token': 'the job’s own',
    'runner-token': SECRET,
    'app-private-key': SECRET,
    'ssh-key': SECRET,
  },
  renamed: { 'app-id': 'runner-app-id' },
};

/** What a workflow takes for the GPU server, which stays the same from run to run. */
const SERVER_INPUTS: readonly string[] = [
  'driver',
  'server-runs-on',
  'aws-region',
  'aws-role',
  ...Object.keys(readActionMetadata('gpu-server').inputs)
    .filter((input) => input !== 'driver' && GPU_SERVER.except[input] === undefined)
    .map((input) => GPU_SERVER.renamed?.[input] ?? input),
];

/**
 * The reusable workflows whose inputs follow from those of the actions, so that an input that an action gets tomorrow
 * can't be forgotten in the workflows around it.
 */
export const WORKFLOWS: Readonly<Record<string, Spec>> = {
  'prepare-data': {
    actions: {
      'prepare-data': {
        except: {
          'file-list': SECRET,
          'owncloud-password': SECRET,
          'data-dir': 'nothing runs in this job after the action that could look into the folder',
          'keep-data': 'nothing runs in this job after the action that could look into the folder',
          'keep-archive': 'nothing runs in this job after the action that could read the archive',
          'check-also': 'no other step of this job checks anything',
          'check-gate': 'the pipeline has one',
        },
        // What is run month after month has to be comparable over time, and new samples have to reach test.
        defaults: { split: 'keep', 'n-test': '20%' },
      },
    },
    fromVariables: ['owncloud-url', 'owncloud-username', 'owncloud-folder'],
  },
  'build-image': {
    fromVariables: [
      'registry',
      'registry-username',
      'registry-ca',
      'image-name',
      'build-args',
      'buildkit-image',
      'sbom-generator',
    ],
    alsoInForm: ['build-args'],
  },
  'train-model': {
    actions: {
      'train-model': {
        except: {
          'owncloud-password': SECRET,
          'registry-username': 'follows from the registry',
          'registry-password': SECRET,
          check: 'the workflow trains; the pipeline checks in a job of its own',
          'output-dir': 'nothing runs in this job after the action that could look into the folder',
          decide: DECIDES,
          'data-identity': DECIDES,
        },
        // An hour less than a GPU server lives at the most (max-hours), so that what was trained can be saved.
        defaults: { 'timeout-minutes': '660' },
      },
      'gpu-server': GPU_SERVER,
    },
    fromVariables: [
      'owncloud-url',
      'owncloud-username',
      'owncloud-folder',
      'registry-username',
      'retention-days',
      ...SERVER_INPUTS,
    ],
    fromCaller: ['key'],
  },
  'publish-model': {
    actions: {
      store: {
        action: 'publish-model',
        except: {
          ...PUBLISHING,
          promote: 'the next job promotes',
          'promote-version': 'is stored already',
          'roll-back-to': 'is stored already',
          'check-again': 'is stored already',
        },
      },
      promote: {
        action: 'publish-model',
        except: {
          ...PUBLISHING,
          'artifact-name': WIRED,
          unpublished: 'only what is stored already is promoted',
          'judge-version': 'the job before judges',
          version: WIRED,
          'promote-version': WIRED,
          'check-again': WIRED,
        },
      },
    },
    fromVariables: ['owncloud-url', 'owncloud-username', 'models-username', 'models-folder'],
  },
  pipeline: {
    actions: {
      check: {
        action: 'prepare-data',
        except: {
          'file-list': SECRET,
          'owncloud-password': SECRET,
          check: 'is true',
          'check-also': 'comes from the step before',
          'check-gate': 'is the gate of the publishing, if there is one',
          'dry-run': CHECKS,
          upload: CHECKS,
          'data-dir': CHECKS,
          'keep-data': 'the job that makes the data set keeps none',
          'keep-archive': CHECKS,
          'artifact-name': CHECKS,
        },
        renamed: { cache: 'prepare-cache' },
        // As in the job that makes the data set.
        defaults: { split: 'keep', 'n-test': '20%' },
      },
      'check-publishing': {
        action: 'publish-model',
        except: {
          'owncloud-password': SECRET,
          'models-password': SECRET,
          'github-token': 'the job’s own',
          check: 'is true',
          'model-dir': CHECKS,
          'artifact-name': CHECKS,
          unpublished: CHECKS,
          'judge-version': CHECKS,
          version: CHECKS,
          promote: CHECKS,
          'promote-version': CHECKS,
          'roll-back-to': CHECKS,
          'check-again': CHECKS,
          'keep-versions': CHECKS,
        },
      },
      decide: {
        action: 'train-model',
        except: {
          'owncloud-password': SECRET,
          'registry-username': UNTRAINED,
          'registry-password': UNTRAINED,
          image: WIRED,
          dataset: WIRED,
          'dataset-sha256': WIRED,
          'data-identity': WIRED,
          'compare-with': 'is production',
          decide: 'is true',
          engine: UNTRAINED,
          'shm-size': UNTRAINED,
          'output-dir': UNTRAINED,
          'timeout-minutes': UNTRAINED,
          'artifact-name': UNTRAINED,
          check: 'a job of its own checks',
          'keep-unpublished': UNTRAINED,
          key: UNTRAINED,
          'retention-days': UNTRAINED,
        },
        renamed: { env: 'train-env', network: 'train-network' },
      },
      'check-training': {
        action: 'train-model',
        except: {
          check: 'is true',
          image: NOT_ASKED,
          dataset: NOT_ASKED,
          'dataset-sha256': NOT_ASKED,
          'owncloud-password': SECRET,
          'registry-username': NOT_ASKED,
          'registry-password': NOT_ASKED,
          'train-command': NOT_ASKED,
          'test-command': NOT_ASKED,
          env: NOT_ASKED,
          network: NOT_ASKED,
          'shm-size': NOT_ASKED,
          'output-dir': CHECKS,
          'timeout-minutes': 'the job has a limit of its own',
          'artifact-name': CHECKS,
          'compare-with': NOT_ASKED,
          'owncloud-folder': NOT_ASKED,
          decide: CHECKS,
          'data-identity': NOT_ASKED,
          'keep-unpublished': CHECKS,
          key: NOT_ASKED,
          'retention-days': CHECKS,
        },
      },
    },
    workflows: {
      'prepare-data': {
        except: { check: ELSEWHERE, 'dry-run': ELSEWHERE, upload: 'the training fetches the data set from ownCloud' },
        renamed: {
          'timeout-minutes': 'prepare-timeout-minutes',
          cache: 'prepare-cache',
          'artifact-name': 'data-artifact-name',
        },
      },
      'build-image': {
        except: {},
        renamed: { 'timeout-minutes': 'build-timeout-minutes', cache: 'build-cache', tags: 'image-tags' },
      },
      'train-model': {
        except: {
          image: WIRED,
          dataset: WIRED,
          'dataset-sha256': WIRED,
          'compare-with': 'is production',
          'keep-unpublished': 'follows from publish',
        },
        renamed: {
          'runs-on': 'train-runs-on',
          'timeout-minutes': 'train-timeout-minutes',
          env: 'train-env',
          network: 'train-network',
          'artifact-name': 'model-artifact-name',
        },
      },
      'publish-model': {
        except: {
          'artifact-name': WIRED,
          unpublished: WIRED,
          'judge-version': WIRED,
          'promote-version': ALONE,
          'roll-back-to': ALONE,
          'check-again': ALONE,
        },
        renamed: { 'timeout-minutes': 'publish-timeout-minutes', version: 'model-version' },
      },
    },
    fromVariables: [
      'runs-on',
      'train-runs-on',
      'same-enterprise',
      'prepare-timeout-minutes',
      'broken-images',
      'near-duplicates',
      'duplicates',
      'label-conflicts',
      'image-extensions',
      'archive-content',
      'archive-prefix',
      'owncloud-url',
      'owncloud-username',
      'owncloud-folder',
      'keep-last',
      'concurrency',
      'data-artifact-name',
      'build-timeout-minutes',
      'registry',
      'registry-username',
      'registry-ca',
      'image-name',
      'image-tags',
      'build-args',
      'platforms',
      'build-cache',
      'attest',
      'sbom',
      'sbom-generator',
      'provenance',
      'buildkit-image',
      'engine',
      'gpus',
      'train-command',
      'test-command',
      'shm-size',
      'train-timeout-minutes',
      'model-artifact-name',
      'retention-days',
      'publish-timeout-minutes',
      'environment',
      'model-name',
      'models-username',
      'models-folder',
      'keep-versions',
      'train-env',
      ...SERVER_INPUTS,
    ],
    alsoInForm: ['train-env'],
    fromCaller: ['key'],
  },
};

/** The words that an input allows, which the form offers as a list. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  split: ['keep', 'shuffle', 'stable'],
  duplicates: ['keep-together', 'drop', 'error'],
  'broken-images': ['leave-out', 'keep', 'error'],
  'near-duplicates': ['report', 'together', 'off'],
  'label-conflicts': ['error', 'warn'],
  'archive-content': ['data', 'results'],
  attest: ['auto', 'true', 'false'],
  'build-cache': ['registry', 'gha', 'none'],
  sbom: ['true', 'false'],
  provenance: ['max', 'min', 'false'],
  engine: ['docker', 'podman', 'apptainer'],
};

/** The path of a reusable workflow, from the checkout. */
export function workflowPath(name: string): string {
  return `.github/workflows/${name}.yml`;
}

/** Reads what a reusable workflow takes and gives. */
export function readWorkflowInterface(name: string): WorkflowInterface {
  return interfaceOf(readFileSync(join(ROOT, workflowPath(name)), 'utf8'));
}

/** The variable of the repository that stands in for an input that is not given. */
export function variableOf(input: string): string {
  return input.toUpperCase().replaceAll('-', '_');
}

/**
 * Writes the generated sections of a reusable workflow anew. Each stands between the comments `# generated: <section>`
 * and `# end`, and is one of
 * - `inputs <target>…`: what `workflow_call` takes for the steps or jobs named, but for what is written there by hand
 * - `form`: what `workflow_dispatch` asks for, taken from all inputs of `workflow_call`
 * - `with <target>`: hands them on
 *
 * @throws Error when the form would have more inputs than GitHub allows, or leave out one that a variable can't give
 */
export function withGeneratedInputs(name: string, text: string): string {
  const spec = WORKFLOWS[name];
  if (spec === undefined) throw new Error(`${name} is no workflow with generated inputs`);
  const byHand = interfaceOf(replaceSections(text, 'inputs', () => ({}))).inputs;
  const withInputs = replaceSections(text, 'inputs', (targets) => {
    const taken = targets.flatMap((target) => Object.entries(inputsFor(spec, target)));
    return Object.fromEntries(taken.filter(([input]) => byHand[input] === undefined));
  });
  const { inputs } = interfaceOf(withInputs);
  const withForm = replaceSections(withInputs, 'form', () => formOf(name, spec, inputs));
  return replaceSections(withForm, 'with', ([target = '']) =>
    Object.fromEntries(
      Object.entries(targetInputs(spec, target)).map(([input, definition]) => [
        input,
        passedOn(ownName(spec, target, input), definition, spec),
      ]),
    ),
  );
}

/** The expression that hands an input on. */
function passedOn(own: string, { type, default: fallback }: WorkflowInput, { fromVariables }: Spec): string {
  if (!fromVariables.includes(own)) return `\${{ inputs.${own} }}`;
  const variable = `vars.${variableOf(own)}`;
  if (type === 'number') return `\${{ inputs.${own} || fromJSON(${variable} || '${fallback}') }}`;
  const last = fallback ? ` || '${String(fallback).replaceAll("'", "''")}'` : '';
  return `\${{ inputs.${own} || ${variable}${last} }}`;
}

/** What a workflow takes on behalf of a target, under its own names. */
function inputsFor(spec: Spec, target: string): Record<string, WorkflowInput> {
  return Object.fromEntries(
    Object.entries(targetInputs(spec, target)).map(([input, definition]) => {
      const own = ownName(spec, target, input);
      return [own, spec.fromVariables.includes(own) ? fromVariable(own, definition) : definition];
    }),
  );
}

/** An input without a default, so that it is empty unless it is given, and the variable can stand in. */
function fromVariable(own: string, { description, type, default: fallback }: WorkflowInput): WorkflowInput {
  if (type === 'boolean') throw new Error(`${own} must be in the form: a variable can't stand in for a boolean`);
  const text = description.replace(/ Default: the variable `[A-Z_]+`.*$/s, '');
  const last = fallback ? `, else \`${fallback}\`` : '';
  return { description: `${text} Default: the variable \`${variableOf(own)}\`${last}.`, type };
}

function targetInputs(spec: Spec, name: string): Record<string, WorkflowInput> {
  const step = spec.actions?.[name];
  const target = step ?? spec.workflows?.[name];
  if (target === undefined) throw new Error(`nothing is said about the inputs of ${name}`);
  const all = step ? actionInputs(step.action ?? name) : workflowInputs(name);
  for (const input of [...Object.keys(target.except), ...Object.keys(target.renamed ?? {})]) {
    if (all[input] === undefined) throw new Error(`${name} has no input ${input}`);
  }
  return Object.fromEntries(
    Object.entries(all).flatMap(([input, definition]) => {
      if (target.except[input] !== undefined) return [];
      const better = target.defaults?.[input];
      return [[input, better === undefined ? definition : { ...definition, default: better }]];
    }),
  );
}

function ownName(spec: Spec, target: string, input: string): string {
  return (spec.actions?.[target] ?? spec.workflows?.[target])?.renamed?.[input] ?? input;
}

function actionInputs(action: string): Record<string, WorkflowInput> {
  return Object.fromEntries(
    Object.entries(readActionMetadata(action).inputs).map(([name, { description, default: text, required }]) => {
      const isBoolean = text === 'true' || text === 'false';
      return [
        name,
        {
          description: description.trim(),
          type: isBoolean ? 'boolean' : 'string',
          ...(required ? { required } : {}),
          ...(text ? { default: isBoolean ? text === 'true' : text } : {}),
        },
      ];
    }),
  );
}

/** As they will be once that workflow is written anew, too. */
function workflowInputs(name: string): Record<string, WorkflowInput> {
  const text = readFileSync(join(ROOT, workflowPath(name)), 'utf8');
  return interfaceOf(withGeneratedInputs(name, text)).inputs;
}

function formOf(
  name: string,
  { fromVariables, alsoInForm = [], fromCaller = [] }: Spec,
  inputs: Readonly<Record<string, WorkflowInput>>,
): Record<string, WorkflowInput> {
  for (const input of [...fromVariables, ...fromCaller]) {
    if (inputs[input] === undefined) throw new Error(`${name} has no input ${input}`);
  }
  const shown = Object.entries(inputs).filter(
    ([input]) => !fromCaller.includes(input) && (!fromVariables.includes(input) || alsoInForm.includes(input)),
  );
  if (shown.length > MAX_FORM_INPUTS) {
    throw new Error(`the form of ${name} has ${shown.length} inputs, and GitHub allows ${MAX_FORM_INPUTS}`);
  }
  return Object.fromEntries(
    shown.map(([input, definition]) => {
      const options = CHOICES[input];
      return [input, options ? { ...definition, type: 'choice' as const, options: [...options] } : definition];
    }),
  );
}

function replaceSections(
  text: string,
  kind: string,
  content: (targets: readonly string[]) => Readonly<Record<string, WorkflowInput | string>>,
): string {
  const section = new RegExp(`^( *)# generated: ${kind}\\b(.*)\\n(?:.*\\n)*?\\1# end\\n`, 'gm');
  return text.replaceAll(section, (_, indent: string, targets: string) => {
    const lines = yamlOf(content(targets.split(/\s+/).filter((word) => word !== ''))).map((line) => indent + line);
    return [`${indent}# generated: ${kind}${targets}`, ...lines, `${indent}# end`, ''].join('\n');
  });
}

function yamlOf(value: Readonly<Record<string, WorkflowInput | string>>): string[] {
  const document = new Document(value);
  visit(document, {
    Pair(_, { key, value: text }) {
      if (isScalar(key) && key.value === 'description' && isScalar<string>(text)) text.type = 'BLOCK_FOLDED';
    },
  });
  // An expression is easier to read on one line, however long.
  const isText = Object.values(value).every((entry) => typeof entry === 'string');
  const lines = document
    .toString({ lineWidth: isText ? 0 : 100 })
    .trimEnd()
    .split('\n');
  return lines.length === 1 && lines[0] === '{}' ? [] : lines;
}

function interfaceOf(text: string): WorkflowInterface {
  return workflowSchema.parse(parse(text)).on.workflow_call;
}
