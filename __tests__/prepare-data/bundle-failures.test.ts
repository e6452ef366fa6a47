import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { errorOf, expectNoSecrets, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const failPut =
  (status: number): Hook =>
  ({ method }) =>
    method === 'PUT' ? { status } : undefined;

test('a zip that says what it lacks ends the run red, before anything is uploaded', async () => {
  const { run, replaceZip, uploaded } = await prepareDataFixture();
  const image = { name: 'Hannaea/a.bmp', data: bmp(1) };
  const note = { name: 'missing_files.json', data: '{"/Hannaea/b.bmp":"gone"}' };
  replaceZip('hannaea-1.zip', buildZip({ entries: [image, note] }));
  expect(errorOf(await run())).toContain('names a file that it lacks.\n  /Hannaea/b.bmp: gone\n');
  expect(uploaded()).toEqual([]);
});

describe('a failed upload', () => {
  test.each([true, false])(
    'of a server that is full names the file that people know (in pieces: %s)',
    async (chunking) => {
      const hook: Hook = ({ method, path }) =>
        method === 'PUT' && !path.includes('check') ? { status: 507 } : undefined;
      const { run, replaceZip } = await prepareDataFixture({ chunking, hook });
      const data = (index: number) => Buffer.alloc(1_500_000, `${index}`);
      const entries = Array.from({ length: 12 }, (_, index) => ({ name: `Hannaea/${index}.png`, data: data(index) }));
      replaceZip('hannaea-1.zip', buildZip({ entries }));
      const result = await run({ 'owncloud-folder': 'sets' });
      expect(errorOf(result)).toContain(`did not store “/sets/${result.outputs['archive-name']}” (status 507)`);
    },
  );

  test.each([
    [507, /\b(space|quota|full)\b/],
    [403, /not/],
    [413, /large|big|limit/],
  ])('with %i ends red, keeps the archive and says where it is', async (status, reason) => {
    const { run, workspace, uploaded, fileList } = await prepareDataFixture({ hook: failPut(status) });
    const result = await run();
    const message = errorOf(result);
    const path = result.outputs['archive-path'] ?? '';
    expect(path).toBe(join(workspace, result.outputs['archive-name'] ?? ''));
    expect(message).toMatch(/^The archive was not uploaded: /);
    expect(message).toMatch(reason);
    expect(message).toContain(
      `Nothing is lost: the archive is kept at ${path} (on a hosted runner only until the job ends).`,
    );
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(result.outputs['archive-sha256']);
    expect(result.outputs['archive-url']).toBe('');
    expect(result.summary).toContain('> [!CAUTION]\n> The archive was not uploaded: ');
    expect(result.summary).toContain(`| Local archive | \`${path}\` |`);
    expect(result.summary).toContain('| Hannaea | 15 | 6 | 21 |');
    expect(uploaded()).toEqual([]);
    expectNoSecrets(
      result,
      fileList.map((entry) => entry.file_url),
    );
  });

  test('of something else than was sent is found, although the server says that it is stored', async () => {
    const cloudFolder = temporaryFolder('cloud');
    const { run, workspace, uploaded } = await prepareDataFixture({
      hook: async ({ method, path }, proceed) => {
        if (method !== 'PUT') return undefined;
        await proceed();
        // Something on the server changes the file behind its back.
        appendFileSync(join(cloudFolder, decodeURIComponent(path).split('/').at(-1) ?? ''), 'x');
        return { status: 201 };
      },
      directory: cloudFolder,
    });
    const result = await run();
    expect(errorOf(result)).toMatch(/^The archive was not uploaded: The server 127\.0\.0\.1:\d+ said that it stored /);
    expect(filesBelow(workspace)).toContain(result.outputs['archive-name']);
    expect(uploaded()).toEqual([]);
  });
});

describe('before anything is downloaded', () => {
  test('a wrong password ends the run, red, without archive and without the password', async () => {
    const { run, workspace, uploaded, fileList } = await prepareDataFixture();
    const result = await run({ 'owncloud-password': 'WRONG-PASSWORD' });
    expect(errorOf(result)).toMatch(/password/);
    expect(result.stdout.replace('::add-mask::WRONG-PASSWORD', '')).not.toContain('WRONG-PASSWORD');
    expect(filesBelow(workspace)).toEqual([]);
    expect(uploaded()).toEqual([]);
    expect(result.outputs).toEqual({});
    expect(result.summary).toMatch(/^## Diatom data set\n\n> \[!CAUTION\]\n> .*password/);
    expectNoSecrets(
      result,
      fileList.map((entry) => entry.file_url),
    );
  });

  test('foreign files in data-dir end it, and stay', async () => {
    const { run, workspace } = await prepareDataFixture();
    mkdirSync(join(workspace, 'data', 'downloads'), { recursive: true });
    writeFileSync(join(workspace, 'data', 'downloads', 'thesis.zip'), 'precious');
    expect(errorOf(await run())).toMatch(
      /^Input data-dir: the folder .+ holds files that this action did not make \(downloads\)/,
    );
    expect(filesBelow(workspace)).toEqual(['data/downloads/thesis.zip']);
  });

  test('all faults of a file list are reported in one error, without any of its text that is secret', async () => {
    const { run, fileList } = await prepareDataFixture();
    const list = fileList.map((entry, index) => ({
      ...entry,
      species_label: 'a/b',
      exploded_folder_name: entry.file_url,
      n_test: -index,
    }));
    const result = await run({ 'file-list': JSON.stringify(list) });
    expect(errorOf(result)).toMatch(/^The file list \(input file-list\) has 8 faults:(\n- entry \d, .+){8}$/);
    expectNoSecrets(
      result,
      fileList.map((entry) => entry.file_url),
    );
  });
});

describe('a download', () => {
  test('that fails is named with its file, all that fail at once, and no address is shown', async () => {
    const { run, workspace, uploaded, fileList, breakLink, replaceZip } = await prepareDataFixture();
    breakLink('hannaea-1.zip');
    replaceZip('gomphonema.zip', '<!DOCTYPE html><html><title>Sign in to your account</title></html>');
    const result = await run();
    const message = errorOf(result);
    expect(message).toMatch(
      /^2 of 3 files could not be downloaded:\n- hannaea-1\.zip: .*404.*\n- gomphonema\.zip: .*page/,
    );
    expect(uploaded()).toEqual([]);
    // With a note for the next run, which then need not fetch it again.
    const left = filesBelow(join(workspace, 'data', 'downloads'));
    expect(left).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.kept\.json$/), 'hannaea-2.zip']);
    expectNoSecrets(
      result,
      fileList.map((entry) => entry.file_url),
    );
  });

  test('with another SHA-256 than the list has is refused', async () => {
    const { run, workspace, fileList } = await prepareDataFixture();
    // Not one sum for all, which would make one zip of them.
    const list = fileList.map((entry, index) => ({ ...entry, sha256: `${index}a`.repeat(32) }));
    expect(errorOf(await run({ 'file-list': JSON.stringify(list) }))).toMatch(/hannaea-1\.zip: .*SHA-256/);
    expect(filesBelow(join(workspace, 'data', 'downloads'))).toEqual([]);
  });
});

describe('zips that allow no data set', () => {
  test('an unsafe one is refused, and nothing is written outside the data folder', async () => {
    const { run, workspace, replaceZip } = await prepareDataFixture();
    replaceZip('gomphonema.zip', buildZip({ entries: [{ name: '../../escaped.bmp', data: bmp(1) }] }));
    expect(errorOf(await run())).toMatch(/gomphonema\.zip.*\.\.\/\.\.\/escaped\.bmp.*leads out/);
    expect(existsSync(join(workspace, '..', 'escaped.bmp'))).toBe(false);
    expect(filesBelow(workspace).filter((path) => !path.startsWith('data/'))).toEqual([]);
  });

  test('one whose image has another CRC-32 than it says is refused in the middle, and no half archive stays', async () => {
    const { run, workspace, uploaded, replaceZip } = await prepareDataFixture();
    const entries = Array.from({ length: 9 }, (_, index) => ({
      name: `export/Gomphonema/${index}.bmp`,
      data: bmp(200 + index),
      ...(index === 7 ? { crc32: 1 } : {}),
    }));
    replaceZip('gomphonema.zip', buildZip({ entries }));
    expect(errorOf(await run())).toMatch(/gomphonema\.zip.*export\/Gomphonema\/7\.bmp/);
    expect(filesBelow(workspace).filter((path) => !path.startsWith('data/'))).toEqual([]);
    expect(uploaded()).toEqual([]);
  });

  test('one image under two labels is an error that names both places', async () => {
    const { run, replaceZip } = await prepareDataFixture();
    const entries = [60, 61, 62, 63, 3].map((colour) => ({
      name: `export/Gomphonema/${colour}.bmp`,
      data: bmp(colour),
    }));
    replaceZip('gomphonema.zip', buildZip({ entries }));
    const message = errorOf(await run());
    expect(message).toContain(
      'The same image lies under two labels: hannaea-1.zip: Hannaea/slide 1/03.bmp (label “Hannaea”) and gomphonema.zip: export/Gomphonema/3.bmp (label “Gomphonema”).',
    );
  });

  test('a folder that is not there is an error that lists the zip’s folders', async () => {
    const { run, fileList } = await prepareDataFixture();
    const list = fileList.map((entry) => ({ ...entry, exploded_folder_name: 'Navicula' }));
    expect(errorOf(await run({ 'file-list': JSON.stringify(list) }))).toBe(
      'hannaea-1.zip: the zip has no folder “Navicula” (exploded_folder_name). The zip has: “Hannaea”, “Hannaea/slide 1”, “Hannaea/slide 2”.',
    );
  });

  test('a label without a training image is an error that names it', async () => {
    const { run } = await prepareDataFixture();
    expect(errorOf(await run({ 'n-test': '10' }))).toMatch(
      /^The label “Gomphonema” \(gomphonema\.zip\) has 10 images, and all go to test: none is left for training\./,
    );
  });
});

describe('a server with too little space for its user', () => {
  test('ends a run as soon as its size is known, before anything of it is sent', async () => {
    const puts: string[] = [];
    const hook: Hook = ({ method, path }) => {
      if (method === 'PUT') puts.push(path);
      return undefined;
    };
    const { run, uploaded, workspace, replaceZip } = await prepareDataFixture({ availableBytes: 50_000, hook });
    const entries = Array.from({ length: 12 }, (_, index) => ({
      name: `Hannaea/${index}.png`,
      data: Buffer.alloc(10_000, `${index}`),
    }));
    replaceZip('hannaea-1.zip', buildZip({ entries }));
    const message = errorOf(await run());
    expect(message).toMatch(
      /ownCloud 10\.15\.0 at .+ has 50\.0 kB left for this account \(its quota\), and the archive takes about /,
    );
    expect([...uploaded(), ...puts]).toEqual([]);
    expect(filesBelow(workspace).filter((path) => path.includes('diatom_set'))).toEqual([]);
  });

  test('is found by a check, from the sizes of the zips', async () => {
    const { run } = await prepareDataFixture({ availableBytes: 50 });
    const result = await run({ check: 'true' });
    expect(errorOf(result)).toContain('Space on the server: ownCloud 10.15.0 at ');
    const { run: again } = await prepareDataFixture({ availableBytes: 5e9 });
    const good = await again({ check: 'true' });
    expect(good.exitCode).toBe(0);
    expect(good.summary).toContain('5.0 GB left for this account');
  });
});

test.runIf(existsSync('/dev/full'))(
  'a full disk of the runner’s own makes no red run of an archive that is uploaded',
  async () => {
    const { run, uploaded } = await prepareDataFixture();
    const result = await run({}, { GITHUB_OUTPUT: '/dev/full', GITHUB_STEP_SUMMARY: '/dev/full' });
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toContain('::warning::The outputs of this step could not be written: ');
    expect(result.stdout).toContain('::warning::The job summary could not be written: ');
    expect(uploaded()).toEqual([expect.stringMatching(/\.zip$/), expect.stringMatching(/\.run\.json$/)]);
  },
);

test('what nobody foresaw ends red too, says so, and shows no secret', async () => {
  const { run, fileList } = await prepareDataFixture();
  // A Node that can't tell the time: none of our errors.
  const odd = encodeURIComponent('Date.prototype.toISOString = () => { throw new Error("odd") }');
  const result = await run({}, { NODE_OPTIONS: `--import=data:text/javascript,${odd}` });
  expect(errorOf(result)).toMatch(
    /^Something happened that this action did not foresee\. Please report it with this text:\nError: odd/,
  );
  expectNoSecrets(
    result,
    fileList.map((entry) => entry.file_url),
  );
});
