import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { parseCsv } from '../../src/dataset/csv.ts';
import { parseSides } from '../../src/dataset/sides.ts';
import { contentsOf, errorOf, expectNoSecrets, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { bmp, IMAGES } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const KEEP = { split: 'keep', 'n-test': '20%', 'archive-content': 'results', 'keep-data': 'false', seed: '' };
/** One of the images has a twin in another zip, and what is equal has one row. */
const DISTINCT = IMAGES - 1;

interface Answered {
  readonly name: string;
  readonly method: string;
  readonly bytes: number;
}

/** A line of data sets in a folder of the ownCloud, and what its zips’ server was asked for. */
async function lineFixture(hook?: Hook, options: { readonly chunking?: boolean } = {}) {
  const asked: Answered[] = [];
  const fixture = await prepareDataFixture(
    { ...options, ...(hook ? { hook } : {}) },
    { onAnswer: (answer) => asked.push(answer) },
  );
  const { cloud, zips } = fixture;
  const run = async (inputs: Record<string, string> = {}) => {
    // Archives are named by the second.
    await sleep(1_001 - (Date.now() % 1_000));
    asked.length = 0;
    return fixture.run({ ...KEEP, ...inputs });
  };
  return {
    ...fixture,
    asked,
    run,
    read: (name: string) => readFileSync(join(cloud.directory, name), 'utf8'),
    /** The sides of the images of an archive, by SHA-256. */
    sidesIn: async (archive: string) => {
      const manifest = (await contentsOf(join(cloud.directory, archive))).get('manifest.csv');
      return new Map(parseCsv(String(manifest)).map((row) => [row.get('sha256'), row.get('split')]));
    },
    /** Adds a zip’s worth of images that were never there. */
    addImages: (count: number) => {
      const entries = Array.from({ length: count }, (_, index) => ({
        name: `ä/new ${index}.bmp`,
        data: bmp(200 + index),
      }));
      const old = Array.from({ length: 8 }, (_, index) => ({ name: `ä/renamed ${index}.bmp`, data: bmp(30 + index) }));
      writeFileSync(join(zips, 'hannaea-2.zip'), buildZip({ entries: [...entries, ...old] }));
    },
  };
}

function sorted(names: readonly string[]): string[] {
  return names.flatMap((name) => [name, `${name}.run.json`, `${name}.sides.csv`]).sort();
}

describe('split: keep', () => {
  test('the first data set of a line has its sides beside it', async () => {
    const { run, uploaded, read, fileList } = await lineFixture();
    const result = await run({ 'owncloud-folder': 'data sets/new' });
    expect(result.exitCode, result.stdout).toBe(0);
    expectNoSecrets(
      result,
      fileList.map(({ file_url }) => file_url),
    );
    const name = result.outputs['archive-name'] ?? '';
    expect(uploaded()).toEqual(sorted([`data sets/new/${name}`]));
    const sides = read(`data sets/new/${name}.sides.csv`);
    expect(parseSides(sides, 'sides')).toHaveLength(DISTINCT);
    expect(sides).not.toMatch(/bmp|zip/i);
    expect(JSON.parse(read(`data sets/new/${name}.run.json`))).toMatchObject({
      format: 1,
      archive: { name, sha256: result.outputs['archive-sha256'] },
      data_identity: result.outputs['data-identity'],
      options: { split: 'keep', seed: null },
    });
    expect(result.outputs['changed']).toBe('true');
  });

  test.each([true, false])(
    'known images keep their sides, whatever their names are now (in pieces: %s)',
    async (chunking) => {
      const { run, sidesIn, addImages, uploaded } = await lineFixture(undefined, { chunking });
      const first = await run();
      addImages(20);
      const second = await run();
      expect(second.exitCode, second.stdout).toBe(0);
      expect(second.outputs).toMatchObject({ changed: 'true' });
      const [before = '', after = ''] = [first, second].map(({ outputs }) => outputs['archive-name']);
      expect(uploaded()).toEqual(sorted([before, after]));
      const [known, now] = [await sidesIn(before), await sidesIn(after)];
      const kept = [...now].filter(([sha256]) => known.has(sha256));
      expect(kept.length).toBeGreaterThan(20);
      for (const [sha256, side] of kept) expect(side).toBe(known.get(sha256));
      expect([...now].filter(([sha256, side]) => !known.has(sha256) && side === 'test').length).toBeGreaterThan(0);
      expect(second.outputs['data-identity']).not.toBe(first.outputs['data-identity']);
    },
  );

  test('an archive without a sides file tells the sides by its directory, which alone is read', async () => {
    const gets: string[] = [];
    const { run, sidesIn } = await lineFixture(({ method, path, headers }) => {
      if (method === 'GET' && path.endsWith('.zip')) gets.push(String(headers['range']));
      return undefined;
    });
    const first = await run({ split: 'shuffle', seed: 'x', 'n-test': '3' });
    const second = await run();
    expect(second.exitCode, second.stdout).toBe(0);
    expect(gets.length).toBeGreaterThan(0);
    for (const range of gets) expect(range).toMatch(/^bytes=\d+-\d+$/);
    const [known, now] = [
      await sidesIn(first.outputs['archive-name'] ?? ''),
      await sidesIn(second.outputs['archive-name'] ?? ''),
    ];
    expect(now).toEqual(known);
  });

  test('a newer archive that was shuffled is warned of, and not followed', async () => {
    const { run, sidesIn, addImages } = await lineFixture();
    const first = await run();
    const shuffled = await run({ split: 'shuffle', seed: 'other', 'n-test': '5' });
    addImages(3);
    const third = await run();
    expect(third.exitCode, third.stdout).toBe(0);
    expect(third.stdout).toContain(`::warning::“${shuffled.outputs['archive-name']}” is newer than`);
    const known = await sidesIn(first.outputs['archive-name'] ?? '');
    for (const [sha256, side] of await sidesIn(third.outputs['archive-name'] ?? '')) {
      expect(side).toBe(known.get(sha256) ?? side);
    }
  });

  test('sides are kept of an archive that somebody has deleted, and left what lies beside it', async () => {
    const { run, cloud, read, sidesIn, addImages } = await lineFixture();
    await run();
    addImages(20);
    const second = (await run()).outputs['archive-name'] ?? '';
    const known = await sidesIn(second);
    rmSync(join(cloud.directory, second));
    const third = await run();
    expect(third.outputs, third.stdout).toMatchObject({ changed: 'true' });
    expect(third.stdout).toContain(`::warning::The archive of “${second}.sides.csv” is not there any more.`);
    expect(await sidesIn(third.outputs['archive-name'] ?? '')).toEqual(known);
    expect(parseSides(read(`${third.outputs['archive-name']}.sides.csv`), 'sides').length).toBeGreaterThan(DISTINCT);
    expect((await run()).outputs).toMatchObject({ changed: 'false' });
  });

  test('previous: none begins a new line, and says so', async () => {
    const { run } = await lineFixture();
    await run();
    const second = await run({ previous: 'none' });
    expect(second.outputs).toMatchObject({ changed: 'true' });
    expect(second.stdout).toContain('::warning::previous is none: a new line of data sets begins.');
    expect(second.summary).toContain('a new line of data sets begins');
  });

  test('previous: the path of an archive, its sides file or a manifest, on the server and in the workspace', async () => {
    const { run, cloud, workspace, addImages, read } = await lineFixture();
    const first = await run({ 'owncloud-folder': 'sets' });
    const name = first.outputs['archive-name'] ?? '';
    const known = parseSides(read(`sets/${name}.sides.csv`), 'sides');
    const manifest = (await contentsOf(join(cloud.directory, 'sets', name))).get('manifest.csv') ?? '';
    for (const folder of [join(cloud.directory, 'sets'), workspace])
      writeFileSync(join(folder, 'manifest.csv'), manifest);
    writeFileSync(join(workspace, 'base.zip'), readFileSync(join(cloud.directory, 'sets', name)));
    addImages(2);
    const sideOf = new Map(known.map(({ crc32, side }) => [crc32, side]));
    for (const [previous, more] of [
      [`/sets/${name}`, {}],
      [`sets/${name}.sides.csv`, {}],
      ['sets/manifest.csv', {}],
      ['base.zip', { upload: 'false' }],
      ['manifest.csv', { upload: 'false' }],
    ] as const) {
      const result = await run({ previous, ...more, 'keep-archive': 'true', 'archive-prefix': 'other' });
      expect(result.exitCode, result.stdout).toBe(0);
      const local = `${result.outputs['archive-path']}.sides.csv`;
      const now = parseSides(readFileSync(local, 'utf8'), previous);
      expect(now.filter(({ crc32 }) => sideOf.has(crc32))).toHaveLength(DISTINCT);
      for (const { crc32, side } of now) expect(side).toBe(sideOf.get(crc32) ?? side);
    }
  });

  test('an archive in another folder is followed on, also when nothing is new, and the next run follows in its turn', async () => {
    const { run, sidesIn, addImages } = await lineFixture();
    const first = (await run({ 'owncloud-folder': 'old' })).outputs['archive-name'] ?? '';
    const moved = await run({ 'owncloud-folder': 'new', previous: `old/${first}` });
    expect(moved.outputs, moved.stdout).toMatchObject({ changed: 'true' });
    addImages(2);
    const next = await run({ 'owncloud-folder': 'new' });
    expect(next.stdout).toContain(`that “${moved.outputs['archive-name']}” lists`);
    const known = await sidesIn(`old/${first}`);
    for (const [sha256, side] of await sidesIn(`new/${next.outputs['archive-name']}`)) {
      expect(side).toBe(known.get(sha256) ?? side);
    }
  });

  test('an earlier archive is followed on, also when nothing is new since, and the next run follows in its turn', async () => {
    const { run, zips, addImages } = await lineFixture();
    const zip = readFileSync(join(zips, 'hannaea-2.zip'));
    const first = (await run()).outputs['archive-name'] ?? '';
    addImages(2);
    await run();
    writeFileSync(join(zips, 'hannaea-2.zip'), zip);
    const back = await run({ previous: first });
    expect(back.outputs, back.stdout).toMatchObject({ changed: 'true' });
    expect((await run()).outputs).toMatchObject({ changed: 'false', 'archive-name': back.outputs['archive-name'] });
  });

  test('without an upload, auto means none, and says so', async () => {
    const { run } = await lineFixture();
    const result = await run({ upload: 'false' });
    expect(result.exitCode, result.stdout).toBe(0);
    expect(result.stdout).toContain('::warning::split is keep, but nothing is uploaded');
    const { outputs } = result;
    for (const ending of ['', '.sides.csv', '.run.json']) readFileSync(outputs['archive-path'] + ending);
  });

  test('a dry run reads the sides, shows what would change, and stores nothing', async () => {
    const { run, uploaded, addImages } = await lineFixture();
    await run();
    const before = uploaded();
    addImages(4);
    const dry = await run({ 'dry-run': 'true' });
    expect(dry.exitCode, dry.stdout).toBe(0);
    expect(dry.stdout).toContain(`Sides are kept of ${DISTINCT} images`);
    expect(dry.summary).toContain('### Changes since the data set before');
    expect(uploaded()).toEqual(before);
  });

  test('keep-last deletes archives with what lies beside them, also what lies beside none', async () => {
    const { run, uploaded, addImages, cloud } = await lineFixture();
    writeFileSync(join(cloud.directory, 'diatom_set-2020-01-01-00-00-00.zip.sides.csv'), 'of a run that was killed');
    const names: string[] = [];
    for (const count of [1, 2, 3]) {
      addImages(count);
      names.push((await run({ 'keep-last': '1' })).outputs['archive-name'] ?? '');
    }
    expect(uploaded()).toEqual(sorted(names.slice(1)));
  });
});

describe('what can’t be read is never a new line', () => {
  const CASES: [string, (fixture: Awaited<ReturnType<typeof lineFixture>>, name: string) => void, RegExp][] = [
    [
      'a damaged sides file',
      ({ cloud }, name) =>
        writeFileSync(join(cloud.directory, `${name}.sides.csv`), 'sha256,crc32,bytes,side,group,label\n,xy,'),
      /is damaged in line 2/,
    ],
    [
      'a sides file that lost rows',
      ({ cloud, read }, name) =>
        writeFileSync(
          join(cloud.directory, `${name}.sides.csv`),
          read(`${name}.sides.csv`).split('\n').slice(0, 9).join('\n'),
        ),
      /is not what was stored/,
    ],
    [
      'a damaged archive, when it has no sides file',
      ({ cloud }, name) => {
        for (const beside of ['.sides.csv', '.run.json']) rmSync(join(cloud.directory, name + beside));
        writeFileSync(join(cloud.directory, name), readFileSync(join(cloud.directory, name)).subarray(0, 900));
      },
      /it is cut short/,
    ],
  ];
  test.each(CASES)('%s', async (_, damage, fault) => {
    const fixture = await lineFixture();
    const { run, asked, uploaded } = fixture;
    const { outputs } = await run();
    damage(fixture, outputs['archive-name'] ?? '');
    const before = uploaded();
    const result = await run();
    expect(errorOf(result)).toMatch(fault);
    expect(errorOf(result)).toContain('Nothing was downloaded');
    expect(asked).toEqual([]);
    expect(uploaded()).toEqual(before);
    const checked = await run({ check: 'true' });
    expect(checked.exitCode).toBe(1);
    expect(checked.summary).toMatch(/❌ \| Data set before \|/);
  });

  test('sides that somebody has deleted, whether or not an older archive has some', async () => {
    const { run, cloud, asked, addImages } = await lineFixture();
    const remove = (name: string) => rmSync(join(cloud.directory, `${name}.sides.csv`));
    const first = (await run()).outputs['archive-name'] ?? '';
    addImages(2);
    const second = (await run()).outputs['archive-name'] ?? '';
    remove(second);
    addImages(3);
    const lost = `“${second}” was made with split: keep, but its file ${second}.sides.csv is not there any more`;
    expect(errorOf(await run())).toContain(lost);
    expect(asked).toEqual([]);
    remove(first);
    expect(errorOf(await run())).toContain(lost);
    expect((await run({ check: 'true' })).exitCode).toBe(1);
    // The way out: there are sides again, although nothing is new.
    addImages(2);
    const again = await run({ previous: second });
    expect(again.outputs, again.stdout).toMatchObject({ changed: 'true' });
    expect((await run()).outputs).toMatchObject({ changed: 'false' });
  });

  test('an archive from the future, by a clock that was wrong', async () => {
    const { run, cloud, asked } = await lineFixture();
    const first = (await run()).outputs['archive-name'] ?? '';
    const future = 'diatom_set-2999-01-01-00-00-00.zip';
    const move = (from: string, to: string) => {
      for (const ending of ['', '.sides.csv'])
        renameSync(join(cloud.directory, from + ending), join(cloud.directory, to + ending));
    };
    move(first, future);
    expect(errorOf(await run())).toMatch(/holds “diatom_set-2999-.*, which is not newer: later runs would not follow/);
    expect(asked).toEqual([]);
    expect((await run({ check: 'true' })).summary).toMatch(/❌ \| Data set before \|.*clock/);
    mkdirSync(join(cloud.directory, 'wrong'));
    move(future, `wrong/${future}`);
    expect((await run({ previous: `wrong/${future}` })).exitCode).toBe(0);
    expect((await run()).outputs).toMatchObject({ changed: 'false' });
  });

  test('a folder that may not be listed', async () => {
    let closed = false;
    const { run, asked } = await lineFixture(({ method, path, headers }) =>
      closed && method === 'PROPFIND' && headers['depth'] === '1' && path.includes('/sets')
        ? { status: 403 }
        : undefined,
    );
    await run({ 'owncloud-folder': 'sets' });
    closed = true;
    const result = await run({ 'owncloud-folder': 'sets' });
    expect(errorOf(result)).toMatch(/status 403/);
    expect(asked).toEqual([]);
    expect((await run({ 'owncloud-folder': 'sets', check: 'true' })).summary).toMatch(/❌ \| Data set before \|.*403/);
  });

  test('a folder that is said to be missing, but is listed in the one above', async () => {
    let closed = false;
    const { run, asked } = await lineFixture(({ method, path, headers }) =>
      closed && method === 'PROPFIND' && headers['depth'] === '1' && path.includes('/sets')
        ? { status: 404 }
        : undefined,
    );
    await run({ 'owncloud-folder': 'sets' });
    closed = true;
    expect(errorOf(await run({ 'owncloud-folder': 'sets' }))).toMatch(/says that it does not exist/);
    expect(asked).toEqual([]);
  });

  test('a link that can only be dropped into', async () => {
    const link = { token: 'DropDrop', permissions: 4 };
    const { run, cloud, uploaded } = await dropFixture(link);
    const inputs = { 'owncloud-url': `${cloud.url}/s/${link.token}`, 'owncloud-username': '', 'owncloud-password': '' };
    expect(errorOf(await run(inputs))).toMatch(/only takes files and does not show them/);
    expect((await run({ ...inputs, check: 'true' })).exitCode).toBe(1);
    expect(uploaded()).toEqual([]);
    const none = errorOf(await run({ ...inputs, previous: 'none' }));
    expect(none).toMatch(/has to be listed, also where a new line begins \(previous: none\).*share the folder/);
    // Other splits need to see nothing.
    expect((await run({ ...inputs, split: 'shuffle' })).exitCode).toBe(0);
  });

  test('a path with nothing there', async () => {
    const { run, asked } = await lineFixture();
    expect(errorOf(await run({ previous: 'sets/none.zip' }))).toMatch(/There is no file \/sets\/none\.zip at 127/);
    expect(errorOf(await run({ previous: 'none.csv', upload: 'false' }))).toMatch(
      /There is no file .*none\.csv in the workspace/,
    );
    expect(asked).toEqual([]);
  });
});

async function dropFixture(link: { readonly token: string; readonly permissions: number }) {
  const fixture = await prepareDataFixture({ publicLinks: [link] });
  return { ...fixture, run: (inputs: Record<string, string>) => fixture.run({ ...KEEP, ...inputs }) };
}

describe('runs beside each other', () => {
  test('of two that follow on the same archive, one ends red and takes back what it stored', async () => {
    let [isHeld, mine, others] = [false, 0, 0];
    const held = Promise.withResolvers<void>();
    const both = Promise.withResolvers<void>();
    const { run, start, uploaded } = await lineFixture(async ({ method, headers, path }) => {
      if (method === 'PROPFIND' && headers['depth'] === '1' && path.endsWith('/sets/')) {
        // While the first one is held, only the second one lists; it does so as often as the first one did.
        if (!isHeld) mine++;
        else if (++others >= mine) both.resolve();
      }
      // Neither goes on to its end before both have seen the folder.
      if (method === 'PUT') {
        isHeld = true;
        held.resolve();
        await both.promise;
      }
      return undefined;
    });
    const other = temporaryFolder();
    const inputs = { ...KEEP, 'owncloud-folder': 'sets' };
    const first = start(inputs);
    await held.promise;
    // Another second, and so another name.
    await sleep(1_100);
    const second = start(inputs, {}, other);
    const results = await Promise.all([first.result, second.result]);
    expect(results.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
    const [winner, loser] = results.toSorted((a, b) => a.exitCode - b.exitCode);
    expect(uploaded()).toEqual(sorted([`sets/${winner?.outputs['archive-name']}`]));
    const message = loser && errorOf(loser);
    expect(message).toMatch(/The archive was not uploaded: While this run was at work, another one has stored/);
    expect(message).toContain('Start again');
    // The local archive is there, with its sides.
    for (const ending of ['', '.sides.csv']) readFileSync(`${loser?.outputs['archive-path']}${ending}`);
    // Started again, it follows on the other’s, and finds nothing new.
    expect((await run({ 'owncloud-folder': 'sets' })).outputs).toMatchObject({
      changed: 'false',
      'archive-name': winner?.outputs['archive-name'],
    });
  }, 120_000);

  test('a run that was killed leaves nothing that a later one takes for a base', async () => {
    let armed = true;
    const dying = Promise.withResolvers<void>();
    const { run, start, uploaded } = await lineFixture(({ method, headers }) => {
      if (!armed || method !== 'MOVE' || !String(headers['destination']).endsWith('.zip')) return undefined;
      dying.resolve();
      return 'hang up';
    });
    const killed = start(KEEP);
    await dying.promise;
    killed.kill('SIGKILL');
    expect((await killed.result).exitCode).toBe(137);
    armed = false;
    const [orphan] = uploaded().filter((name) => name.endsWith('.sides.csv'));
    expect(orphan).toBeDefined();
    expect(uploaded().filter((name) => name.endsWith('.zip'))).toEqual([]);
    const result = await run();
    expect(result.exitCode, result.stdout).toBe(0);
    expect(result.stdout).toContain('There is no data set before');
  });

  test('when the archive can’t be given its name, its sides go again and the local archive stays', async () => {
    const { run, uploaded } = await lineFixture(({ method, headers }) =>
      method === 'MOVE' && String(headers['destination']).endsWith('.zip') ? { status: 507 } : undefined,
    );
    const result = await run();
    expect(errorOf(result)).toMatch(/The archive was not uploaded: .*status 507/);
    expect(uploaded()).toEqual([]);
    for (const ending of ['', '.sides.csv']) readFileSync(`${result.outputs['archive-path']}${ending}`);
  });
});
