import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ActionResult } from '../../scripts/run-action.ts';
import { drawWhole, SEED, someOf } from '../helpers/draw.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sha256 } from '../helpers/served-zip.ts';
import { smallDisk } from '../helpers/small-disk.ts';
import { type Row, table } from '../helpers/table.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const PAGE = 4_096;
/** What fills the disk: the message names it in words that a person knows. */
const FULL = /no space left|disk|free/i;

type Place = 'workspace' | 'temp' | 'cache';

const INPUTS: Readonly<Record<Place, Readonly<Record<string, string>>>> = {
  workspace: {},
  temp: {},
  cache: { cache: 'true' },
};

/** Zips that take some room: each of 20 images of 10 kB that can't be packed any smaller. */
function writeZips(folder: string): void {
  for (const [index, [name = '', inner = '']] of [
    ['hannaea-1.zip', 'Hannaea'],
    ['hannaea-2.zip', 'ä'],
    ['gomphonema.zip', 'Gomphonema'],
  ].entries()) {
    const entries = Array.from({ length: 20 }, (_, image) => ({
      name: `${inner}/${image}.png`,
      data: Buffer.alloc(10_000, sha256(`${index} ${image}`), 'hex'),
    }));
    writeFileSync(join(folder, name), buildZip({ entries }));
  }
}

function row(place: Place, number: number): Row {
  const name = `prepare-data, ${place}, size ${number}`;
  return {
    name,
    prove: async () => {
      const { start, run, zips, cloud } = await prepareDataFixture();
      writeZips(zips);
      const whole = await run({}, {}, temporaryFolder('workspace'));
      expect(whole.exitCode, whole.stdout).toBe(0);
      const sum = whole.outputs['archive-sha256'];
      for (const archive of readdirSync(cloud.directory)) expect(archive).toMatch(/\.(zip|json|csv)$|^\./);
      const disk = smallDisk(PAGE * drawWhole(name, 4, place === 'workspace' ? 500 : 200));
      const other = temporaryFolder('workspace');
      const workspace = place === 'workspace' ? disk.folder : other;
      const env = {
        ...(place === 'temp' ? { RUNNER_TEMP: disk.folder, TMPDIR: disk.folder } : {}),
        ...(place === 'cache' ? { RUNNER_TOOL_CACHE: disk.folder } : {}),
      };
      const again = (force = 'true'): Promise<ActionResult> =>
        start({ ...INPUTS[place], force }, env, workspace).result;
      const result = await again();
      expectNoHalfArchive(workspace, sum);
      expectNoHalfArchive(cloud.directory, sum);
      if (result.exitCode !== 0) expect(errorOf(result)).toMatch(FULL);
      // What only makes the next run faster is no reason to fail.
      if (place === 'cache') expect(result, result.stdout).toMatchObject({ exitCode: 0 });
      disk.grow();
      const next = await again();
      expect(next, next.stdout).toMatchObject({ exitCode: 0, outputs: { 'archive-sha256': sum } });
      expect(filesBelow(workspace).filter((path) => path.endsWith('.part'))).toEqual([]);
    },
  };
}

function expectNoHalfArchive(folder: string, sum: string | undefined): void {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.zip'))) {
    expect(sha256(readFileSync(join(folder, name))), name).toBe(sum);
  }
}

const ROWS = (['workspace', 'temp', 'cache'] as const).flatMap((place) =>
  Array.from({ length: place === 'workspace' ? 16 : 8 }, (_, index) => row(place, index + 1)),
);

table(`full disks (seed ${SEED})`, someOf(ROWS, 8));
