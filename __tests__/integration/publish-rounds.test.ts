/** How many requests of a publication wait for each other: where each costs a while, that is what a publication takes. */
import { expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { foldersOf, modelDir, publishTask, runPublish } from '../helpers/model.ts';
import { ownServer, USER } from '../helpers/owncloud.ts';
import { inRounds } from '../helpers/rounds.ts';

const PREVIOUS = expect.stringMatching(/^production\.previous-\d{8}-\d{6}-[0-9a-f]{8}$/);

const NEXTCLOUD = '{"maintenance":false,"versionstring":"31.0.2","productname":"Nextcloud","extendedSupport":false}';

/** What servers differ in that a publication asks about: who they say they are, and whether they have sums of their own. */
const PRODUCTS = {
  ownCloud: () => undefined,
  Nextcloud: ({ path }) => (path.endsWith('/status.php') ? { status: 200, body: NEXTCLOUD } : undefined),
  'plain WebDAV': async ({ method, path }, proceed) => {
    if (path.endsWith('/status.php')) return { status: 404 };
    if (method !== 'PROPFIND') return undefined;
    const { body, ...answer } = await proceed();
    return { ...answer, body: String(body).replaceAll(/<oc:checksums>.*?<\/oc:checksums>/g, '') };
  },
} satisfies Record<string, Hook>;

test('what counts rounds counts one for each of two requests that wait for each other, and one for others together', async () => {
  const { hook, during } = inRounds(() => undefined);
  const { url } = await ownServer({ hook });
  const ask = () => fetch(`${url}/status.php`);
  const work = async () => {
    await ask();
    await Promise.all([ask(), ask().then(ask), ask()]);
    await ask();
  };
  expect((await during(work())).map((round) => round.length)).toEqual([1, 3, 1, 1]);
});

test.each<[keyof typeof PRODUCTS, requests: readonly number[]]>([
  ['ownCloud', [53, 56, 62]],
  ['Nextcloud', [60, 63, 69]],
  ['plain WebDAV', [57, 60, 66]],
])(
  'at %s, at most 20 requests of a publication wait for each other, and 22 of the first one of a model',
  // On a busy machine a request may come late, or what was known be too old: that makes more of them, and never fewer.
  { retry: 3 },
  async (product, requests) => {
    const { hook, during } = inRounds(PRODUCTS[product]);
    const server = await ownServer({ hook });
    const url = `${server.url}/remote.php/dav/files/${encodeURIComponent(USER)}/`;
    const env = { GITHUB_REPOSITORY: 'lab/diatoms', GITHUB_RUN_ID: '17' };
    const publications: string[][][] = [];
    // The third one also deletes a copy of what was in production before the second.
    for (const version of ['v1', 'v2', 'v3']) {
      const folder = await modelDir(version, { 'model.pth': version.repeat(500_000), 'provenance.json': {} });
      publications.push(await during(runPublish({ url, task: publishTask(folder, version), context: { env } })));
    }
    expect(publications.map((rounds) => rounds.flat().length)).toEqual(requests);
    for (const [index, most] of [22, 20, 20].entries()) {
      expect(publications[index]?.length).toBeLessThanOrEqual(most);
    }
    expect(foldersOf(server.directory)).toEqual(['production', PREVIOUS, 'v1', 'v2', 'v3']);
  },
);
