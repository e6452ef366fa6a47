import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createDownloadCache } from '../../src/runner/download-cache.ts';
import { captureOutput, setEnvironment, temporaryFolder } from '../helpers/runner.ts';

const KEY = 'ab'.repeat(32);

async function fixture() {
  const toolCache = temporaryFolder('tool-cache');
  const folder = temporaryFolder();
  setEnvironment({ RUNNER_TOOL_CACHE: toolCache, RUNNER_TEMP: temporaryFolder(), RUNNER_ENVIRONMENT: 'self-hosted' });
  captureOutput();
  const cache = createDownloadCache(process.env);
  if (!cache) throw new Error('There is no cache');
  const file = async (content: string) => {
    const path = join(folder, `${content}.zip`);
    await writeFile(path, content);
    return { path, sha256: `sha of ${content}`, bytes: content.length };
  };
  return { cache, file, toolCache };
}

describe('the runner’s tool cache', () => {
  test('gives back what was stored, from its own copy', async () => {
    const { cache, file, toolCache } = await fixture();
    const stored = { ...(await file('zip')), etag: '"1"', lastModified: 'Sun, 22 Nov 2026 17:45:00 GMT' };
    expect(await cache.find(KEY)).toBeUndefined();
    await cache.store(KEY, stored);
    await rm(stored.path);
    const found = await cache.find(KEY);
    expect(found).toEqual({ ...stored, path: expect.stringContaining(toolCache) });
    expect(await readFile(found?.path ?? '', 'utf8')).toBe('zip');
  });

  test('leaves out what the server did not tell', async () => {
    const { cache, file } = await fixture();
    await cache.store(KEY, await file('zip'));
    expect(Object.keys((await cache.find(KEY)) ?? {}).sort()).toEqual(['bytes', 'path', 'sha256']);
  });

  test('a newer download of the same address takes the place of the older one, and others keep theirs', async () => {
    const { cache, file } = await fixture();
    await cache.store('other', await file('other'));
    await cache.store(KEY, await file('old'));
    await cache.store(KEY, { ...(await file('new')), etag: '"2"' });
    const found = await cache.find(KEY);
    expect(found).toMatchObject({ sha256: 'sha of new', bytes: 3, etag: '"2"' });
    expect(await readFile(found?.path ?? '', 'utf8')).toBe('new');
    expect(await cache.find('other')).toMatchObject({ sha256: 'sha of other' });
  });

  test.each(['', '{"sha256":"x"', '{"bytes":3}', '[]'])(
    'what a store cut short left behind (%j) counts as nothing',
    async (facts) => {
      const { cache, file } = await fixture();
      await cache.store(KEY, await file('zip'));
      const folder = dirname((await cache.find(KEY))?.path ?? '');
      expect((await readdir(folder)).sort()).toEqual(['download', 'facts.json']);
      await writeFile(join(folder, 'facts.json'), facts);
      expect(await cache.find(KEY)).toBeUndefined();
      await rm(join(folder, 'facts.json'));
      expect(await cache.find(KEY)).toBeUndefined();
    },
  );

  test('shows nobody who can list it an address', async () => {
    const { cache, file, toolCache } = await fixture();
    await cache.store(KEY, await file('zip'));
    expect(existsSync(join(toolCache, `diatom-download-${KEY}`))).toBe(true);
  });
});

test('there is no cache outside a runner, nor on one that begins every job with a new disk', () => {
  expect(createDownloadCache({})).toBeUndefined();
  expect(createDownloadCache({ RUNNER_TOOL_CACHE: '' })).toBeUndefined();
  expect(createDownloadCache({ RUNNER_TOOL_CACHE: '/x', RUNNER_ENVIRONMENT: 'github-hosted' })).toBeUndefined();
});
