import { afterAll } from 'vitest';
import { SEED, someOf } from '../helpers/draw.ts';
import { table } from '../helpers/table.ts';
import { gpuServerKills } from './kill-gpu-server.ts';
import { killed } from './kill-point.ts';
import { prepareDataKills } from './kill-prepare-data.ts';
import { publishModelKills } from './kill-publish-model.ts';
import { trainModelKills } from './kill-train-model.ts';

const ROWS = [...prepareDataKills(36), ...publishModelKills(54), ...trainModelKills(27), ...gpuServerKills(27)];

// Windows can't end a process so that it has no say.
table('runs that are killed', someOf(ROWS, 9));

afterAll(() => void process.stdout.write(`of them ended before their end: ${killed.count} (seed ${SEED})\n`));
