import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ActionResult } from '../../scripts/run-action.ts';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { type Serve, startServer } from '../helpers/loopback-server.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sendFile } from '../helpers/served-zip.ts';
import { tinyFileList, writeTinyDataSet } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';
import { type Case, type End, quoting, redirecting, requestsTo, type World } from './secrets-world.ts';

type Entry = ReturnType<typeof tinyFileList>[number];
type Texts = Readonly<Record<string, string>>;

interface Given {
  readonly inputs?: (world: World, url: string) => Texts;
  /** What the server of the zips answers for the last of them, instead of the zip. `own` is another path to it. */
  readonly serve?: (world: World, own: string) => Serve;
  readonly hook?: (world: World) => Hook;
  readonly entries?: (entries: readonly Entry[]) => unknown;
  readonly text?: (json: string) => string;
  readonly env?: Texts;
  readonly end?: End;
}

const SECRETS = ['link user', 'link password', 'link path', 'link token'];

function prepare(given: Given): (world: World) => Promise<ActionResult> {
  return async (world) => {
    const zips = temporaryFolder('zips');
    writeTinyDataSet(zips);
    const [user, password, path, token] = SECRETS.map((name) => world.canaries.make(name));
    const instead = given.serve?.(world, `/${path}/again.zip?token=${token}`);
    const server = await startServer((request, response, number) => {
      const name = new URL(request.url ?? '', 'http://x').pathname.split('/').at(-1) ?? '';
      if (instead && /^(gomphonema|again)\.zip$/.test(name)) return instead(request, response, number);
      return sendFile(request, response, readFileSync(join(zips, name)), { etag: '"1"', ranges: true });
    });
    onTestFinished(() => server.close());
    world.evidence.push(() => [requestsTo('the server of the zips', server.requests, SECRETS)]);
    const entries = tinyFileList(`http://${user}:${password}@127.0.0.1:${server.port}/${path}/`).map((entry) => ({
      ...entry,
      file_url: entry.file_url.replace(/token=.*/, `token=${token}`),
    }));
    const json = JSON.stringify(given.entries?.(entries) ?? entries);
    const cloud = await world.owncloud(given.hook?.(world));
    return world.run(
      {
        action: 'prepare-data',
        inputs: {
          ...{ 'file-list': given.text?.(json) ?? json, 'n-test': '3', seed: 'demo', 'broken-images': 'keep' },
          ...{ 'owncloud-url': cloud.url, 'owncloud-username': 'ada', 'owncloud-password': world.password },
          ...given.inputs?.(world, cloud.url),
        },
        env: given.env ?? {},
      },
      given.end,
    );
  };
}

const status =
  (code: number, headers: Texts = {}, body = ''): Serve =>
  (request, response) =>
    void response
      .writeHead(code, headers)
      .end(`${body} You asked for ${request.url} with ${request.headers.authorization}`);
const with_ = (inputs: Texts) => () => inputs;
const last = (changes: Readonly<Record<string, unknown>>) => (entries: readonly Entry[]) =>
  entries.map((entry, index) => (index === 2 ? { ...entry, ...changes } : entry));
const zip = (entry: string) => buildZip({ entries: [{ name: entry, data: 'x' }] });

/** The first way of each: green; then all that may go wrong with list, zips, ownCloud, runner. */
export const PREPARE_DATA: readonly Case[] = [
  [
    'a whole run, with an artifact',
    'green',
    prepare({ inputs: with_({ 'artifact-name': 'set', 'archive-content': 'data' }) }),
  ],
  ['a run that uploads nothing', 'green', prepare({ inputs: with_({ upload: 'false' }) })],
  ['a run with little disk', 'green', prepare({ inputs: with_({ 'low-disk': 'true', 'archive-content': 'results' }) })],
  ['a check', 'green', prepare({ inputs: with_({ check: 'true' }) })],
  ['a dry run', 'green', prepare({ inputs: with_({ 'dry-run': 'true' }) })],
  ['a run that keeps sides', 'green', prepare({ inputs: with_({ split: 'keep', 'keep-last': '2' }) })],
  [
    'a redirect to another origin, which serves the zip',
    /another origin|elsewhere|gomphonema\.zip/,
    prepare({ serve: ({ elsewhere }) => status(302, { location: `${elsewhere}/x.zip` }) }),
  ],
  ['a redirect that goes round in circles', /circle/, prepare({ serve: (_, own) => status(302, { location: own }) })],
  [
    'a redirect to no address of the web',
    /gomphonema\.zip/,
    prepare({ serve: (_, own) => status(302, { location: `ftp://x${own}` }) }),
  ],
  [
    'a page instead of a zip',
    /gomphonema\.zip/,
    prepare({ serve: () => status(200, { 'content-type': 'text/html' }, '<html>') }),
  ],
  ...[400, 401, 403, 404, 410].map(
    (code): Case => [
      `a ${code} for a zip`,
      new RegExp(`gomphonema.zip.*${code}`),
      prepare({ serve: () => status(code) }),
    ],
  ),
  ['a zip that is text', /no zip|not a zip/i, prepare({ serve: () => status(200, {}, 'hello') })],
  [
    'a zip with a path out of it',
    /gomphonema\.zip/,
    prepare({
      serve: () => (request, response) =>
        sendFile(request, response, zip('../../x.png'), { etag: '"1"', ranges: true }),
    }),
  ],
  ['a check of a zip that is gone', /404/, prepare({ inputs: with_({ check: 'true' }), serve: () => status(404) })],
  ['another sum than the list has', /sha256/i, prepare({ entries: last({ sha256: 'a'.repeat(64) }) })],
  [
    'a folder that is not in the zip',
    /gomphonema\.zip/,
    prepare({ entries: last({ exploded_folder_name: 'nowhere' }) }),
  ],
  [
    'a key that nobody knows',
    /unknown|key/i,
    prepare({ entries: (entries) => entries.map((entry) => ({ ...entry, url: entry.file_url })) }),
  ],
  [
    'an address of no known kind',
    /http/,
    prepare({
      entries: (entries) => entries.map((entry) => ({ ...entry, file_url: entry.file_url.replace('http', 'gopher') })),
    }),
  ],
  [
    'an address under the name of a file',
    /downloaded_file_name/,
    prepare({ entries: (entries) => entries.map((entry) => ({ ...entry, downloaded_file_name: entry.file_url })) }),
  ],
  [
    'an address as a label',
    /label/,
    prepare({ entries: (entries) => entries.map((entry) => ({ ...entry, species_label: entry.file_url })) }),
  ],
  ['a list that is cut off', /file-list/, prepare({ text: (json) => json.slice(0, -20) })],
  ['a list that is an address', /file-list/, prepare({ text: (json) => /http[^"]*/.exec(json)?.[0] ?? '' })],
  [
    'a list that is base64 of something else',
    /file-list/,
    prepare({ text: (json) => Buffer.from(json.slice(1)).toString('base64') }),
  ],
  [
    'a CSV with a line too many',
    /file-list/,
    prepare({ text: (json) => `file_url,species_label\n${/http[^"]*/.exec(json)?.[0]},a,b,c,d` }),
  ],
  [
    'settings with the password in them',
    /settings/,
    prepare({ inputs: (world) => ({ settings: JSON.stringify({ 'owncloud-password': world.password }) }) }),
  ],
  [
    'an ownCloud address with the password in it',
    /owncloud-url/,
    prepare({
      inputs: (world, url) => ({ 'owncloud-url': url.replace('//', `//ada:${encodeURIComponent(world.password)}@`) }),
    }),
  ],
  ['a wrong kind of the other inputs', /n-test/, prepare({ inputs: with_({ 'n-test': 'many' }) })],
  ...(['PROPFIND', 'MKCOL', 'PUT', 'MOVE'] as const).flatMap((method): Case[] => [
    ...[400, 401, 403, 409, 507].map(
      (code): Case => [
        `a ${code} for ${method}`,
        /::error::/,
        prepare({ inputs: with_({ 'owncloud-folder': 'sets' }), hook: () => quoting(code, new RegExp(`^${method}$`)) }),
      ],
    ),
    [
      `a redirect for ${method}`,
      /::error::/,
      prepare({ inputs: with_({ 'owncloud-folder': 'sets' }), hook: (world) => redirecting(world, method) }),
    ],
  ]),
  [
    'a disk without room for outputs',
    'green',
    prepare({ env: { GITHUB_OUTPUT: '/dev/full', GITHUB_STEP_SUMMARY: '/dev/full' } }),
  ],
  ['a cancelled run', /cancel/i, prepare({ end: { signal: 'SIGINT', at: /Signed in/ } })],
  ['a killed run', /./, prepare({ end: { signal: 'SIGKILL', at: /Signed in/ } })],
];
