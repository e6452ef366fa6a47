import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import type { Inputs } from '../src/schema/kinds.ts';
import { ACTION_INPUTS, type ActionName } from '../src/schema/sections.ts';

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, '..');

const metadataSchema = z.object({
  name: z.string(),
  description: z.string(),
  inputs: z.record(
    z.string(),
    z.object({ description: z.string(), required: z.optional(z.boolean()), default: z.optional(z.string()) }),
  ),
  outputs: z.record(z.string(), z.object({ description: z.string() })),
  runs: z.object({ using: z.string(), main: z.string() }),
});

/** What an action's `action.yml` declares. */
export type ActionMetadata = z.infer<typeof metadataSchema>;

/** Reads the metadata of an action by its folder in the checkout, such as `prepare-data`. */
export function readActionMetadata(action: string): ActionMetadata {
  return metadataSchema.parse(parse(readFileSync(actionFile(action), 'utf8')));
}

/** The bundle that a runner starts for an action: `runs.main`, relative to its `action.yml`. */
export function bundleOf(action: string, metadata: ActionMetadata): string {
  return join(dirname(actionFile(action)), metadata.runs.main);
}

function actionFile(action: string): string {
  return join(ROOT, action, 'action.yml');
}

/** The same with the defaults that the action itself has; its `action.yml` says them in words only. */
export function documentedMetadata(action: ActionName): ActionMetadata {
  const metadata = readActionMetadata(action);
  const declared: Inputs = ACTION_INPUTS[action];
  const inputs = Object.entries(metadata.inputs).map(([name, input]) => {
    const fallback = declared[name]?.fallback ?? '';
    const description = input.description.trim().replace(/\s+/g, ' ');
    if (fallback === '') return [name, { ...input, description }] as const;
    const said = ` Default: \`${fallback}\`.`;
    if (!description.endsWith(said)) throw new Error(`${action}/action.yml: ${name} has to end with “${said.trim()}”`);
    return [name, { ...input, description: description.slice(0, -said.length), default: fallback }] as const;
  });
  return { ...metadata, inputs: Object.fromEntries(inputs) };
}
