import { someOf } from '../helpers/draw.ts';
import { table } from '../helpers/table.ts';
import { GPU_SERVER } from './secrets-gpu-server.ts';
import { PREPARE_DATA } from './secrets-prepare-data.ts';
import { PUBLISH_MODEL } from './secrets-publish-model.ts';
import { SETTINGS } from './secrets-settings.ts';
import { TRAIN_MODEL } from './secrets-train-model.ts';
import { secretsRow } from './secrets-world.ts';

const CASES = {
  'prepare-data': PREPARE_DATA,
  'train-model': TRAIN_MODEL,
  'publish-model': PUBLISH_MODEL,
  'gpu-server': GPU_SERVER,
  settings: SETTINGS,
};

const ROWS = Object.entries(CASES).flatMap(([action, cases]) => cases.map((one) => secretsRow(action, one)));

table('secrets', someOf(ROWS, 4));
