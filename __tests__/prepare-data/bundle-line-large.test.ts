import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parseSides } from '../../src/dataset/sides.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { prepareDataFixture } from '../helpers/prepare-data.ts';
import { sha256 } from '../helpers/served-zip.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const FOLDER = 'sets';
const INPUTS = {
  split: 'keep',
  'n-test': '20%',
  seed: '',
  'archive-content': 'results',
  'low-disk': 'true',
  'owncloud-folder': FOLDER,
};
/** With 1 MB each, so many images make an archive that goes in more than one piece. */
const IMAGES = 15;

/** A line of data sets whose archives go to ownCloud in pieces, as fast as they grow. */
async function largeLineFixture() {
  let pieces = 0;
  let onPiece = (_: number) => {};
  const fixture = await prepareDataFixture({
    hook: ({ method, path }) => {
      if (method === 'PUT' && path.includes('/dav/uploads/')) onPiece(++pieces);
      return undefined;
    },
  });
  const base = fixture.fileList[0]?.file_url ?? '';
  const list: Record<string, string>[] = [];
  const inputs = () => ({ ...INPUTS, 'file-list': JSON.stringify(list) });
  /** Archives are named by the second. */
  const nextSecond = async () => {
    await sleep(1_001 - (Date.now() % 1_000));
    pieces = 0;
  };
  return {
    ...fixture,
    pieces: () => pieces,
    /** A zip of images that were never there. */
    addZip: () => {
      const name = `zip-${list.length + 1}.zip`;
      const entries = Array.from({ length: IMAGES }, (_, image) => ({
        name: `a/${image}.png`,
        data: Buffer.alloc(1e6, `${name} ${image}`),
      }));
      writeFileSync(join(fixture.zips, name), buildZip({ entries }));
      const where = { file_url: new URL(name, base).href, downloaded_file_name: name };
      list.push({ ...where, exploded_folder_name: 'a', species_label: `Species ${list.length + 1}` });
    },
    run: async () => {
      await nextSecond();
      return fixture.run(inputs());
    },
    killAtPiece: async (number: number) => {
      await nextSecond();
      const action = fixture.start(inputs());
      onPiece = (piece) => {
        if (piece === number) action.kill('SIGKILL');
      };
      const result = await action.result;
      onPiece = () => {};
      return result;
    },
    /** The side of each image that an archive’s line has ever had, by SHA-256. */
    sidesOf: (archive: string) => {
      const path = join(fixture.cloud.directory, FOLDER, `${archive}.sides.csv`);
      return new Map(parseSides(readFileSync(path, 'utf8'), path).map(({ sha256: sum, side }) => [sum, side]));
    },
    stored: () => filesBelow(join(fixture.cloud.directory, FOLDER)),
  };
}

// Linux is where parts of a file can be freed.
describe.runIf(process.platform === 'linux')('split: keep with low-disk, of archives that go in pieces', () => {
  test('keeps every side in the next run, and in the one after a run that was killed in the middle', async () => {
    const { addZip, run, killAtPiece, pieces, sidesOf, stored, workspace, cloud } = await largeLineFixture();
    addZip();
    const first = await run();
    expect(first.exitCode, first.stdout).toBe(0);
    expect(Number(first.outputs['archive-bytes'])).toBeGreaterThan(15e6);
    expect(pieces()).toBeGreaterThan(1);
    const before = sidesOf(first.outputs['archive-name'] ?? '');
    expect(before.size).toBe(IMAGES);

    const same = await run();
    expect(same).toMatchObject({ exitCode: 0, outputs: { changed: 'false' } });
    expect(pieces()).toBe(0);

    addZip();
    const there = stored();
    const killed = await killAtPiece(2);
    expect(killed.exitCode).toBe(137);
    // The pieces that it has left behind are not shown as a file.
    expect(stored()).toEqual(there);

    const next = await run();
    expect(next.exitCode, next.stdout).toBe(0);
    expect(pieces()).toBeGreaterThan(2);
    expect(next.stdout).toContain(`that “${first.outputs['archive-name']}” lists`);
    expect(next.outputs).toMatchObject({ 'test-count': '6', 'train-count': '24' });
    const name = next.outputs['archive-name'] ?? '';
    const after = sidesOf(name);
    expect(after.size).toBe(2 * IMAGES);
    for (const [image, side] of before) expect(after.get(image)).toBe(side);
    const archive = readFileSync(join(cloud.directory, FOLDER, name));
    expect(sha256(archive)).toBe(next.outputs['archive-sha256']);
    // What was killed could not tidy up; the next run has done it.
    expect(filesBelow(workspace).filter((path) => /\.(zip|part|png)$/.test(path))).toEqual([]);
  }, 120_000);
});
