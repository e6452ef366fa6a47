import * as z from 'zod/mini';
import { whyUnsafeName } from '../dataset/safe-name.ts';
import { differences, type Training } from '../model/training-recipe.ts';
import { jsonOf } from '../text/json.ts';

const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** Of a file of a checkpoint: its path in the checkpoint’s folder, with `/`. */
const fileSchema = z.object({
  name: z.string().check(z.refine((name) => name.split('/').every((part) => whyUnsafeName(part) === undefined))),
  sha256,
  bytes: z.number(),
});

const noteSchema = z.object({
  format: z.literal(1),
  training: z.object({
    dataIdentity: z.string(),
    imageDigest: z.string(),
    trainCommand: z.string(),
    testCommand: z.string(),
    gpus: z.string(),
    network: z.boolean(),
    settings: z.string(),
  }),
  /** When its newest file was written, by the clock of the machine that wrote it. */
  writtenMs: z.number(),
  files: z.array(fileSchema),
});

export type CheckpointFile = z.infer<typeof fileSchema>;

/** What a stored checkpoint is: of which training, and which files make it up. */
export interface CheckpointNote {
  readonly training: Training;
  readonly writtenMs: number;
  readonly files: readonly CheckpointFile[];
}

export function formatNote(note: CheckpointNote): string {
  return `${JSON.stringify({ format: 1, ...note }, null, 2)}\n`;
}

/** @returns `undefined` for what is not one, or was written by another release */
export function parseNote(text: string): CheckpointNote | undefined {
  const found = noteSchema.safeParse(jsonOf(text));
  return found.success ? found.data : undefined;
}

/** Why a training can’t go on from a stored checkpoint; `undefined` when it can. Completes “it …”. */
export function whyUnfit(note: CheckpointNote | undefined, training: Training): string | undefined {
  if (!note) return 'was written by another release of this action';
  const others = differences(note.training, training);
  return others.length === 0 ? undefined : `was made with another state of ${others.join(', ')}`;
}
