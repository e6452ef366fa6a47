import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { ROOT } from '../../scripts/action-metadata.ts';

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const permissions = z.record(z.string(), z.enum(['read', 'write', 'none']));
const concurrency = z.object({
  group: z.string(),
  queue: z.optional(z.string()),
  'cancel-in-progress': z.optional(scalar),
});
const inputs = z.record(
  z.string(),
  z.object({
    description: z.string(),
    type: z.string(),
    required: z.optional(z.boolean()),
    default: z.optional(scalar),
    options: z.optional(z.array(z.string())),
  }),
);

const step = z.object({
  if: z.optional(z.string()),
  id: z.optional(z.string()),
  name: z.optional(z.string()),
  uses: z.optional(z.string()),
  run: z.optional(z.string()),
  with: z.optional(z.record(z.string(), scalar)),
});

const job = z.object({
  needs: z.optional(z.union([z.string(), z.array(z.string())])),
  if: z.optional(z.string()),
  'runs-on': z.optional(z.union([z.string(), z.array(z.string())])),
  permissions: z.optional(permissions),
  'timeout-minutes': z.optional(scalar),
  concurrency: z.optional(concurrency),
  environment: z.optional(z.string()),
  uses: z.optional(z.string()),
  with: z.optional(z.record(z.string(), scalar)),
  secrets: z.optional(z.record(z.string(), z.string())),
  outputs: z.optional(z.record(z.string(), z.string())),
  env: z.optional(z.record(z.string(), scalar)),
  steps: z.optional(z.array(step)),
});

const workflow = z.object({
  name: z.string(),
  on: z.object({
    workflow_call: z.optional(
      z.object({
        inputs: z.optional(inputs),
        secrets: z.optional(z.record(z.string(), z.object({ description: z.string() }))),
        outputs: z.optional(z.record(z.string(), z.object({ description: z.string(), value: z.string() }))),
      }),
    ),
    workflow_dispatch: z.nullish(z.object({ inputs: z.optional(inputs) })),
  }),
  permissions,
  concurrency: z.optional(concurrency),
  jobs: z.record(z.string(), job),
});

export type Permissions = z.infer<typeof permissions>;
export type Job = z.infer<typeof job>;
export type Step = z.infer<typeof step>;

/** A workflow of ours, or a template of one. */
export interface WorkflowFile {
  /** From the checkout, with `/`. */
  readonly path: string;
  /** File name without its end. */
  readonly name: string;
  readonly text: string;
  readonly workflow: z.infer<typeof workflow>;
}

/** All workflows in a folder of the checkout. */
export function workflowFiles(folder: '.github/workflows' | 'templates/workflows'): WorkflowFile[] {
  return readdirSync(join(ROOT, folder))
    .filter((file) => /\.ya?ml$/.test(file))
    .map((file) => {
      const text = readFileSync(join(ROOT, folder, file), 'utf8').replaceAll('\r\n', '\n');
      return { path: `${folder}/${file}`, name: basename(file, '.yml'), text, workflow: workflow.parse(parse(text)) };
    });
}

/** The steps of a workflow, each with its job. */
export function stepsOf({ workflow: { jobs } }: WorkflowFile): { readonly job: string; readonly step: Step }[] {
  return Object.entries(jobs).flatMap(([name, { steps = [] }]) => steps.map((one) => ({ job: name, step: one })));
}

/** The repository's name, `owner/name`, as package.json has it. */
export function repositoryName(): string {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
  return z
    .object({ repository: z.string() })
    .parse(JSON.parse(text))
    .repository.replace(/^github:/, '');
}
