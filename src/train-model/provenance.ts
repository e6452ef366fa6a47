import { settingsSum, type Training, trainingSum } from '../model/training-recipe.ts';
import type { Dataset } from './dataset.ts';
import type { Inputs } from './inputs.ts';

type Settings = Pick<Inputs, 'image' | 'trainCommand' | 'testCommand' | 'gpus' | 'network' | 'env'>;

/**
 * All that changes what a training comes to.
 *
 * @param found digest of the image that runs; one in the image's name is preferred, as that is what is known beforehand
 */
export function trainingOf(inputs: Settings, dataIdentity: string | undefined, found: string | undefined): Training {
  const { image, trainCommand, testCommand, gpus, network, env } = inputs;
  return {
    dataIdentity,
    imageDigest: /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1] ?? found,
    trainCommand,
    testCommand,
    gpus: typeof gpus === 'string' ? gpus : gpus.join(','),
    network,
    settings: settingsSum(env),
  };
}

/** From what a model was made. */
export interface Provenance {
  readonly inputs: Settings & Pick<Inputs, 'engine' | 'settings'>;
  readonly imageDigest: string | undefined;
  readonly dataset: Pick<Dataset, 'name' | 'sha256' | 'seed' | 'identity'>;
}

/** `provenance.json`. It holds no address, no date and no setting that may be a secret. */
export function provenanceJson({ inputs, imageDigest, dataset }: Provenance): string {
  const training = trainingOf(inputs, dataset.identity, imageDigest);
  const description = {
    format: 2,
    image: inputs.image,
    image_digest: training.imageDigest ?? null,
    dataset: {
      sha256: dataset.sha256 ?? null,
      identity: dataset.identity ?? null,
      seed: dataset.seed ?? null,
      name: dataset.name,
    },
    engine: inputs.engine,
    gpus: training.gpus,
    network: training.network,
    train_command: inputs.trainCommand,
    test_command: inputs.testCommand,
    settings_sha256: training.settings,
    // What stands in a settings file, which is no secret, and the commit of that file.
    settings: inputs.settings ?? null,
    // Of all that changes the result; null when not all of it is known.
    training_sum: trainingSum(training) ?? null,
  };
  return `${JSON.stringify(description, null, 2)}\n`;
}
