import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
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

/** The text of a file by its path from the checkout, with `/`; `''` when there is none. */
export type ReadText = (path: string) => string;

export function readCheckout(path: string): string {
  const file = join(ROOT, path);
  // A checkout on Windows may have other line ends; they make no difference here.
  return existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\r\n', '\n') : '';
}

/** Reads the metadata of an action by its folder in the checkout, such as `prepare-data`. */
export function readActionMetadata(action: string, read: ReadText = readCheckout): ActionMetadata {
  return metadataSchema.parse(parse(read(actionFile(action))));
}

/** The bundle that a runner starts for an action: `runs.main`, relative to its `action.yml`. */
export function bundleOf(action: string, metadata: ActionMetadata): string {
  return join(ROOT, action, metadata.runs.main);
}

function actionFile(action: string): string {
  return action === '' ? 'action.yml' : `${action}/action.yml`;
}

/**
 * The same with the defaults that the action itself has; its `action.yml` says them in words only. That of prepare-data is
 * read at the top, as the one in its folder is generated from it: what is generated follows from sources alone.
 */
export function documentedMetadata(action: ActionName, read: ReadText = readCheckout): ActionMetadata {
  const folder = action === 'prepare-data' ? '' : action;
  const metadata = readActionMetadata(folder, read);
  const declared: Inputs = ACTION_INPUTS[action];
  const inputs = Object.entries(metadata.inputs).map(([name, input]) => {
    const fallback = declared[name]?.fallback ?? '';
    const description = input.description.trim().replace(/\s+/g, ' ');
    if (fallback === '') return [name, { ...input, description }] as const;
    const said = ` Default: \`${fallback}\`.`;
    if (!description.endsWith(said)) {
      throw new Error(
        `${actionFile(folder)}: the description of ${name} has to end with “${said.trim()}”, the default in src/schema`,
      );
    }
    return [name, { ...input, description: description.slice(0, -said.length), default: fallback }] as const;
  });
  return { ...metadata, inputs: Object.fromEntries(inputs) };
}
