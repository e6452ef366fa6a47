import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod/mini';

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
