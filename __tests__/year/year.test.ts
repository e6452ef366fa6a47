import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectAllInOrder } from './checks.ts';
import { specimensOf } from './collection.ts';
import { type Lab, openLab } from './lab.ts';
import type { Species } from './pictures.ts';
import { archives, production, versions } from './records.ts';

const FIRST: readonly Species[] = ['Achnanthidium', 'Cocconeis', 'Encyonema', 'Fragilaria', 'Navicula', 'Nitzschia'];

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
  for (const species of FIRST) await lab.collection.put(`${species}.zip`, species, specimensOf(species, 0, 60));
});

afterEach(() => expectAllInOrder(lab));

afterAll(() => lab?.close());

test('January: the first run makes the first model', async () => {
  const month = await lab.start();
  expect(month).toMatchObject({ exitCode: 0, artifacts: ['model'] });
  expect(await archives(lab.server.directory)).toHaveLength(1);
  expect(await versions(lab.server.directory)).toEqual([await production(lab.server.directory)]);
});
