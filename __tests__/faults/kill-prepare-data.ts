import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { filesBelow } from '../helpers/files-below.ts';
import { prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sha256 } from '../helpers/served-zip.ts';
import type { Row } from '../helpers/table.ts';
import { drawPoint, endOf, eventOf, watchEvents } from './kill-point.ts';

type Texts = Readonly<Record<string, string>>;

const KINDS: Readonly<Record<string, Texts>> = {
  'prepare-data': {},
  'prepare-data with little disk': { 'low-disk': 'true', 'archive-content': 'results' },
  'prepare-data that keeps sides and its archive': { split: 'keep', 'keep-archive': 'true', cache: 'true' },
};

interface Reference {
  readonly events: number;
  /** Of the archive, which is the same whoever makes it. */
  readonly sum: string;
}

const references = new Map<string, Promise<Reference>>();

/** What a run does that nobody ends. */
function referenceOf(kind: string): Promise<Reference> {
  const known = references.get(kind) ?? measure(KINDS[kind] ?? {});
  references.set(kind, known);
  return known;
}

async function measure(inputs: Texts): Promise<Reference> {
  const watch = watchEvents();
  const { run } = await prepareDataFixture({ hook: watch.hook }, { onAnswer: watch.tick });
  const result = await run(inputs);
  expect(result.exitCode, result.stdout).toBe(0);
  return { events: watch.count(), sum: result.outputs['archive-sha256'] ?? '' };
}

/** Archives under final names: each is one of the whole ones. */
function expectWhole(folder: string, sums: readonly string[]): number {
  const archives = readdirSync(folder).filter((name) => name.endsWith('.zip'));
  for (const name of archives) expect(sums, name).toContain(sha256(readFileSync(join(folder, name))));
  return archives.length;
}

function row(kind: string, number: number): Row {
  const name = `${kind}, point ${number}`;
  return {
    name,
    prove: async () => {
      const point = drawPoint(name);
      const { events, sum } = await referenceOf(kind);
      const watch = watchEvents();
      const { start, run, workspace, cloud } = await prepareDataFixture({ hook: watch.hook }, { onAnswer: watch.tick });
      const tools = temporaryFolder('tools');
      const env = { RUNNER_TOOL_CACHE: tools };
      const action = start(KINDS[kind], env);
      watch.arm(action, eventOf(point, events), point);
      await endOf(action);
      expectWhole(workspace, [sum]);
      const before = expectWhole(cloud.directory, [sum]);
      const next = await run(KINDS[kind], env);
      expect(next.exitCode, next.stdout).toBe(0);
      const { 'archive-sha256': own = '', 'archive-name': archive = '', changed } = next.outputs;
      // The killed run may have stored all there was, and all that the next one asks; then that one finds nothing new.
      const isNew = changed === 'true';
      if (!isNew) expect(before).toBe(1);
      // One that keeps sides names the data set before it, so its archive is another.
      if (before === 0 || KINDS[kind]?.['split'] !== 'keep') expect(own).toBe(sum);
      expectWhole(workspace, [sum, own]);
      expect(expectWhole(cloud.directory, [sum, own])).toBe(isNew ? before + 1 : 1);
      expect(sha256(readFileSync(join(cloud.directory, archive)))).toBe(own);
      expect(filesBelow(workspace).filter((path) => /\.part$|diatom-run/.test(path))).toEqual([]);
      if (isNew) expect(existsSync(join(workspace, 'data', 'results', 'manifest.csv'))).toBe(true);
    },
  };
}

export function prepareDataKills(each: number): Row[] {
  return Object.keys(KINDS).flatMap((kind) => Array.from({ length: each }, (_, index) => row(kind, index + 1)));
}
