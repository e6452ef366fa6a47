import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { jsonOf } from '../text/json.ts';

/** All that changes what comes out of a training. What is `undefined` is not known. */
export interface Training {
  /** SHA-256 of the data set's manifest. */
  readonly dataIdentity: string | undefined;
  /** `sha256:…`; a tag says nothing, as it may be another image tomorrow. */
  readonly imageDigest: string | undefined;
  readonly trainCommand: string;
  readonly testCommand: string;
  /** As the input has them. */
  readonly gpus: string;
  readonly network: boolean;
  /** SHA-256 of the settings (`env`), which may hold a secret. */
  readonly settings: string;
}

const text = z.nullable(z.string());

/** What `provenance.json` says about it since its format 2. */
const provenanceSchema = z.object({
  format: z.literal(2),
  image_digest: text,
  dataset: z.object({ identity: text }),
  train_command: z.string(),
  test_command: z.string(),
  gpus: z.string(),
  network: z.boolean(),
  settings_sha256: z.string(),
});

/** Reads it; `undefined` for what older releases and others wrote, and for what can't be read. */
export function parseTraining(json: string): Training | undefined {
  const found = provenanceSchema.safeParse(jsonOf(json));
  if (!found.success) return undefined;
  const { data } = found;
  return {
    dataIdentity: data.dataset.identity ?? undefined,
    imageDigest: data.image_digest ?? undefined,
    trainCommand: data.train_command,
    testCommand: data.test_command,
    gpus: data.gpus,
    network: data.network,
    settings: data.settings_sha256,
  };
}

/** Names of what two trainings differ in, for people; none when they come to the same. What is not known differs. */
export function differences(one: Training, other: Training): string[] {
  const differs = (a: unknown, b: unknown) => a === undefined || a !== b;
  return [
    differs(one.dataIdentity, other.dataIdentity) ? 'the data set' : '',
    differs(one.imageDigest, other.imageDigest) ? 'the image' : '',
    differs(one.trainCommand, other.trainCommand) ? 'the train-command' : '',
    differs(one.testCommand, other.testCommand) ? 'the test-command' : '',
    differs(one.gpus, other.gpus) ? 'the GPUs' : '',
    differs(one.network, other.network) ? 'the network' : '',
    differs(one.settings, other.settings) ? 'the settings (env)' : '',
  ].filter((name) => name !== '');
}

/** One sum of all of it; `undefined` when something is not known. */
export function trainingSum(training: Training): string | undefined {
  const { dataIdentity, imageDigest, trainCommand, testCommand, gpus, network, settings } = training;
  if (dataIdentity === undefined || imageDigest === undefined) return undefined;
  return sha256(JSON.stringify([dataIdentity, imageDigest, trainCommand, testCommand, gpus, network, settings]));
}

/** The same for every order of the lines. */
export function settingsSum(env: ReadonlyMap<string, string>): string {
  return sha256(JSON.stringify([...env].sort(([a], [b]) => (a < b ? -1 : 1))));
}

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
