import { folder, OWNCLOUD, PART, safeName, sha256 } from './common.ts';
import { ofRun, secret, text, truth, whole, words } from './kinds.ts';

/** The longest that a job on a self-hosted runner may take: five days. */
const MAX_MINUTES = 7_200;

/** The inputs of train-model. */
export const TRAIN_MODEL = {
  ...PART,
  image: ofRun(text()),
  dataset: ofRun(text()),
  'dataset-sha256': ofRun(sha256()),
  ...OWNCLOUD,
  'owncloud-folder': folder(),
  'registry-username': text(),
  'registry-password': secret('REGISTRY_PASSWORD'),
  engine: words(['docker', 'podman', 'apptainer'], 'docker'),
  gpus: text({
    fallback: 'all',
    // A number, a GPU’s or a MIG device’s id (“GPU-…”, “MIG-…”), as nvidia-smi -L shows them.
    pattern: /^(all|none|\s*(\d+|(GPU|MIG)-[A-Za-z0-9/-]+)\s*(,\s*(\d+|(GPU|MIG)-[A-Za-z0-9/-]+)\s*)*)$/,
    allowed: 'all, none, or numbers or ids of GPUs separated by commas, such as 0,1',
    form: { list: ',' },
  }),
  'train-command': text({ fallback: 'python train.py' }),
  'test-command': text({ fallback: 'python test.py' }),
  env: text({ form: 'pairs', allowed: 'a map such as { EPOCHS: 30 }, or one NAME=value a line' }),
  network: truth('false'),
  'shm-size': text({ fallback: '8g', pattern: /^[1-9]\d{0,11}[bkmg]?$/i, allowed: 'a size such as 512m or 8g' }),
  'output-dir': text({ fallback: 'model' }),
  'timeout-minutes': text({
    pattern: /^\d{1,4}(\.\d{1,3})?$/,
    accepts: (value) => Number(value) > 0 && Number(value) <= MAX_MINUTES,
    allowed: `a number above 0 and up to ${MAX_MINUTES}`,
  }),
  'checkpoint-minutes': text({
    fallback: '30',
    pattern: /^\d{1,4}(\.\d{1,3})?$/,
    accepts: (value) => Number(value) <= MAX_MINUTES,
    allowed: `a number from 0 to ${MAX_MINUTES}`,
  }),
  'checkpoint-folder': text({ pattern: /^~?\/./, allowed: 'a path that begins with / or ~/' }),
  'artifact-name': safeName('model'),
  'keep-unpublished': truth('false'),
  key: ofRun(text()),
  'retention-days': whole(1, 400, '7'),
  'compare-with': text(),
  decide: ofRun(truth('false')),
  'data-identity': ofRun(sha256()),
  check: ofRun(truth('false')),
};

/** Those that change a model, beside data set and image. */
export const TRAINING_SETTINGS: readonly (keyof typeof TRAIN_MODEL)[] = [
  'engine',
  'gpus',
  'train-command',
  'test-command',
  'env',
  'network',
];
