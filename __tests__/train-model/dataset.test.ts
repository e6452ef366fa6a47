import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createHttpClient } from '../../src/http/client.ts';
import { connect } from '../../src/owncloud/connect.ts';
import { fetchDataset } from '../../src/train-model/dataset.ts';
import { createUnpacker, type UnpackOptions } from '../../src/train-model/unpack.ts';
import { expectNowhere, failureOf } from '../helpers/failure.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { type Serve, startServer } from '../helpers/loopback-server.ts';
import { ownServer, PASSWORD, USER } from '../helpers/owncloud.ts';
import { captureOutput, setEnvironment, temporaryFolder } from '../helpers/runner.ts';
import { sendFile, sha256 } from '../helpers/served-zip.ts';
import { buildZip, type RawEntry } from '../helpers/zip-builder.ts';

const IMAGES: readonly RawEntry[] = ['train/a/1.png', 'train/ä/1.png', 'test/a/2.png', 'test/ä/2.png'].map((name) => ({
  name,
  data: name,
}));
const below = (base: string) => IMAGES.map((entry) => ({ ...entry, name: `${base}${entry.name}` }));
const ZIP = buildZip({ entries: [...IMAGES, { name: 'dataset.json', data: '{"seed":"4711"}' }] });

async function unpack(path: string, target: string, options: Partial<UnpackOptions> = {}): Promise<void> {
  const unpacker = createUnpacker(target, { name: 'set.zip', ...options });
  await unpacker.finish(path).finally(unpacker.close);
}

async function unpacked(entries: readonly RawEntry[]): Promise<string[]> {
  const [path, target] = [join(temporaryFolder(), 'set.zip'), temporaryFolder()];
  writeFileSync(path, buildZip({ entries }));
  await unpack(path, target);
  return filesBelow(target);
}

describe('of an archive', () => {
  const names = ['test/a/2.png', 'test/ä/2.png', 'train/a/1.png', 'train/ä/1.png'];

  test.each([
    ['only results', ''],
    ['downloads and results', 'results/'],
  ])('with %s the data set is unpacked, and nothing else', async (_, base) => {
    const others = ['downloads/a.zip', `${base}report.html`, 'train.txt', 'more/train/a/1.png'];
    const entries = [...below(base), ...others.map((name) => ({ name, data: 'x' }))];
    const described = ['manifest.csv', 'dataset.json'].map((name) => ({ name: base + name, data: '{}' }));
    expect(await unpacked([...entries, ...described])).toEqual([...names, 'dataset.json', 'manifest.csv'].sort());
  });

  test('without train or test nothing is unpacked', async () => {
    const error = await failureOf(unpacked([{ name: 'train/a/1.png' }, { name: 'photos/b.png' }]));
    expect(error.code).toBe('DATA_SET');
    expect(error.message).toContain('at its top there is photos/, train/');
  });

  test('that does not fit on the disk nothing is unpacked, and both figures are said', async () => {
    const [path, target] = [join(temporaryFolder(), 'set.zip'), temporaryFolder()];
    writeFileSync(path, ZIP);
    const error = await failureOf(unpack(path, target, { freeBytes: async () => 12 }));
    expect(error).toMatchObject({ code: 'DISK' });
    expect(error.message).toMatch(/set\.zip takes [\d.]+ kB unpacked, and the disk of .* has 12 B free/);
    expect(readdirSync(target)).toEqual([]);
  });

  test.each([
    ['a path that leads elsewhere', { name: 'train/../../evil.png', data: 'x' }],
    ['an absolute path', { name: '/train/a/evil.png', data: 'x' }],
    ['a symbolic link', { name: 'train/a/link.png', data: '/etc/passwd', mode: 0o120777 }],
  ])('with %s nothing is unpacked', async (_, entry) => {
    expect((await failureOf(unpacked([...IMAGES, entry]))).code).toBe('ZIP');
  });
});

async function fetched(
  dataset: string,
  more: Partial<Parameters<typeof fetchDataset>[0]> = {},
  workDir = temporaryFolder(),
) {
  const output = captureOutput();
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const workspace = more.workspace ?? temporaryFolder();
  const env = { RUNNER_TOOL_CACHE: process.env['RUNNER_TOOL_CACHE'] };
  const remote = more.owncloud && (await connect(more.owncloud, { http }));
  const context = { http, signal: new AbortController().signal, env, workDir, remote };
  const inputs = { datasetSha256: undefined, owncloud: undefined, ...more, dataset, workspace };
  return { result: await fetchDataset(inputs, context), workDir, output };
}

function withToolCache(): string {
  const folder = temporaryFolder();
  setEnvironment({ RUNNER_TOOL_CACHE: folder, RUNNER_TEMP: temporaryFolder() });
  return folder;
}

const serveZip: Serve = (request, response) => sendFile(request, response, ZIP, { etag: '"1"', ranges: true });

async function zipServer() {
  const server = await startServer(serveZip);
  onTestFinished(() => server.close());
  return server;
}

describe('a data set', () => {
  test('in a folder of the workspace stays where it is, also below results', async () => {
    const workspace = temporaryFolder();
    for (const { name } of IMAGES)
      mkdirSync(join(workspace, 'data', 'results', String(name), '..'), { recursive: true });
    const { result } = await fetched('data', { workspace });
    expect(result).toEqual({
      folder: join(workspace, 'data', 'results'),
      name: 'data',
      sha256: undefined,
      seed: undefined,
      labels: ['a', 'ä'],
    });
    const error = await failureOf(fetched('data', { workspace, datasetSha256: 'ab'.repeat(32) }));
    expect(error.message).toContain('is a folder, which has no sum');
  });

  test('in a zip of the workspace is unpacked, and its sum is checked', async () => {
    const workspace = temporaryFolder();
    writeFileSync(join(workspace, 'set.zip'), ZIP);
    const { result, workDir } = await fetched('set.zip', { workspace, datasetSha256: sha256(ZIP) });
    expect(result).toMatchObject({ folder: join(workDir, 'data'), name: 'set.zip', sha256: sha256(ZIP), seed: '4711' });
    expect(readFileSync(join(result.folder, 'train/ä/1.png'), 'utf8')).toBe('train/ä/1.png');
    const error = await failureOf(fetched('set.zip', { workspace, datasetSha256: 'ab'.repeat(32) }));
    expect(error.message).toContain(`has the SHA-256 ${sha256(ZIP)}, dataset-sha256 expects`);
  });

  test('at an address is downloaded; neither it nor the zip stays, and the address is named nowhere', async () => {
    setEnvironment({ RUNNER_TOOL_CACHE: undefined });
    const server = await zipServer();
    const { result, workDir, output } = await fetched(`${server.origin}/secret-path?token=secret`);
    expect(result).toMatchObject({ name: `the download from 127.0.0.1:${server.port}`, sha256: sha256(ZIP) });
    expect(readdirSync(workDir)).toEqual(['data']);
    expect(output.text()).not.toContain('secret');
  });

  test('known by its sum is taken from the tool cache, wherever it comes from', async () => {
    const cache = withToolCache();
    const server = await zipServer();
    await fetched(`${server.origin}/one`, { datasetSha256: sha256(ZIP) });
    const asked = server.requests.length;
    await fetched(`${server.origin}/two`, { datasetSha256: sha256(ZIP) });
    expect(server.requests).toHaveLength(asked);
    expect(readdirSync(join(cache, 'diatom-unfinished'))).toEqual([]);
  });

  test('that was cut off is continued by the next run', async () => {
    const cache = withToolCache();
    let cut = true;
    const server = await startServer((request, response) => {
      if (!cut) return sendFile(request, response, ZIP, { etag: '"1"', ranges: true });
      if (request.headers.range) return void response.writeHead(403).end();
      sendFile(request, response, ZIP, { etag: '"1"', ranges: true, cutAfter: 100 });
    });
    onTestFinished(() => server.close());
    const sum = { datasetSha256: sha256(ZIP) };
    await failureOf(fetched(`${server.origin}/set`, sum));
    expect(filesBelow(join(cache, 'diatom-unfinished')).map((name) => name.slice(65))).toHaveLength(2);
    cut = false;
    const { result } = await fetched(`${server.origin}/set`, sum);
    expect(server.requests.map(({ headers }) => headers.range)).toContain('bytes=100-');
    expect(result.sha256).toBe(sha256(ZIP));
    expect(filesBelow(join(cache, 'diatom-unfinished'))).toEqual([]);
  });

  test('is unpacked while it comes, and neither image nor zip is asked for twice', async () => {
    setEnvironment({ RUNNER_TOOL_CACHE: undefined });
    const large = buildZip({ entries: [...IMAGES, { name: 'train/a/large.png', data: randomBytes(3 * 2 ** 20) }] });
    const rest = Promise.withResolvers<void>();
    const server = await startServer((request, response) => {
      if (request.method === 'HEAD' || request.headers.range)
        return sendFile(request, response, large, { etag: '"1"', ranges: true });
      response.writeHead(200, { 'content-length': large.length, etag: '"1"', 'accept-ranges': 'bytes' });
      response.write(large.subarray(0, 2 ** 20));
      void rest.promise.then(() => response.end(large.subarray(2 ** 20)));
    });
    onTestFinished(() => server.close());
    const workDir = temporaryFolder();
    const run = fetched(`${server.origin}/set`, {}, workDir);
    await expect.poll(() => filesBelow(workDir).filter((path) => path.endsWith('.png'))).toHaveLength(4);
    rest.resolve();
    expect((await run).result).toMatchObject({ sha256: sha256(large), labels: ['a', 'ä'] });
    expect(filesBelow(join(workDir, 'data'))).toHaveLength(5);
    expect(server.requests.filter(({ method, headers }) => method === 'GET' && !headers.range)).toHaveLength(1);
  });

  test('is not held up by a server that does not say whether it sends pieces', async () => {
    setEnvironment({ RUNNER_TOOL_CACHE: undefined });
    const server = await startServer((request, response) => {
      if (request.method !== 'HEAD') sendFile(request, response, ZIP, { etag: '"1"', ranges: true });
    });
    onTestFinished(() => server.close());
    expect((await fetched(`${server.origin}/set`)).result).toMatchObject({ sha256: sha256(ZIP) });
  });

  test('in ownCloud is downloaded with the account, by its path or its address there', async () => {
    setEnvironment({ RUNNER_TOOL_CACHE: undefined });
    const server = await ownServer();
    mkdirSync(join(server.directory, 'data sets'));
    writeFileSync(join(server.directory, 'data sets', 'set #1.zip'), ZIP);
    const owncloud = { url: server.url, username: USER, password: PASSWORD };
    const address = `${server.url}/remote.php/dav/files/${encodeURIComponent(USER)}/data%20sets/set%20%231.zip`;
    for (const dataset of ['data sets/set #1.zip', '/data sets/set #1.zip', address]) {
      const { result, output } = await fetched(dataset, { owncloud });
      expect(result).toMatchObject({ name: 'set #1.zip', sha256: sha256(ZIP) });
      expect(output.text()).not.toContain(encodeURIComponent(PASSWORD));
    }
    const error = await failureOf(fetched('data sets/other.zip', { owncloud }));
    expect(error.message).toContain('“/data sets/other.zip” (status 404)');
    expectNowhere(error, PASSWORD);
    expect((await failureOf(fetched('data sets', { owncloud }))).message).toContain('that is a folder');
  });

  test('that is nowhere is said with where it was looked for', async () => {
    const error = await failureOf(fetched('set.zip'));
    expect(error.message).toMatch(
      /no such zip or folder in the workspace .* owncloud-url, where it could be, is not set/,
    );
  });
});
