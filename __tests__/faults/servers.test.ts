import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Answer, Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { downloadFile } from '../../src/download/download-file.ts';
import { uploadFile } from '../../src/owncloud/upload.ts';
import { uploadGrowing } from '../../src/owncloud/upload-growing.ts';
import { downloadFixture } from '../helpers/download-fixture.ts';
import { someOf } from '../helpers/draw.ts';
import { failureOf } from '../helpers/failure.ts';
import { filesBelow } from '../helpers/files-below.ts';
import { completeFile, testBytes } from '../helpers/growing-file.ts';
import type { Serve } from '../helpers/loopback-server.ts';
import { connectTo, localFile, ownServer, SWIFT } from '../helpers/owncloud.ts';
import { type FileTraits, sendFile, sha256, zipLike } from '../helpers/served-zip.ts';
import { type Row, table } from '../helpers/table.ts';
import { tusStandIn } from '../helpers/tus-stand-in.ts';

/** What must come of a fault: all is there, or an error that says this. */
type End = 'whole' | RegExp;
type When = 'once' | 'always';

const ZIP = zipLike(60_000);
const GOOD: FileTraits = { etag: '"v1"', ranges: true };
const TRIED = /Tried 3 times/;

const status =
  (code: number): Serve =>
  (_, response) =>
    void response.writeHead(code).end('<html>');
const faulty =
  (traits: FileTraits): Serve =>
  (request, response) =>
    sendFile(request, response, ZIP, { ...GOOD, ...traits });
const stall: Serve = (_, response) =>
  void response.writeHead(200, { etag: '"v1"', 'content-length': ZIP.length }).write(ZIP.subarray(0, 9_000));

/** What a server of zips does, and what comes of it when it does so once, and when it goes on doing it. */
const DOWNLOADS: readonly (readonly [fault: string, serve: Serve, once: End, always: End])[] = [
  ...[408, 425, 429, 500, 502, 503, 504, 509, 520, 522].map(
    (code) => [`answers ${code}`, status(code), 'whole', TRIED] as const,
  ),
  ...[400, 401, 403, 404, 410, 204, 416, 451].map(
    (code) => [`answers ${code}`, status(code), new RegExp(`${code}`), new RegExp(`${code}`)] as const,
  ),
  ['says nothing', () => {}, 'whole', /did not answer in time.*Tried 3 times/],
  ['hangs up', (_, response) => void response.destroy(), 'whole', TRIED],
  ['stalls', stall, 'whole', /stopped sending.*Tried 3 times/],
  ['breaks off', faulty({ cutAfter: 10 }), 'whole', TRIED],
  ['announces more than it has', faulty({ length: 70_000, cutAfter: 60_000 }), 'whole', 'whole'],
  ['sends a part without a length', faulty({ ending: 'connection', cutAfter: 40_000 }), 'whole', TRIED],
  ['sends a page', (_, response) => void response.end('<!doctype html><title>Sign in</title>'), /web page/, /web page/],
  ['sends nothing', (_, response) => void response.end(), /empty/, /empty/],
  ['sends text', (_, response) => void response.end('hello'), /zip/, /zip/],
  [
    'sends other bytes',
    (_, response) => void response.end(zipLike(60_000, 'other')),
    /SHA-256|sha256/,
    /SHA-256|sha256/,
  ],
  [
    'redirects in a circle',
    (request, response) => void response.writeHead(302, { location: request.url }).end(),
    /circle/,
    /circle/,
  ],
  ['redirects to nowhere', (_, response) => void response.writeHead(302).end(), /redirect|302/i, /redirect|302/i],
];

function download(fault: string, serve: Serve, when: When, end: End): Row {
  return {
    name: `a server of zips ${fault}, ${when}`,
    prove: async () => {
      const { options, url, files } = await downloadFixture((request, response, number) =>
        when === 'always' || number === 1 ? serve(request, response, number) : sendFile(request, response, ZIP, GOOD),
      );
      const run = () => downloadFile({ url, fileName: 'a.zip', sha256: sha256(ZIP) }, options);
      if (end === 'whole') {
        expect((await run()).sha256).toBe(sha256(ZIP));
        expect(await files()).toEqual(['a.zip']);
        return;
      }
      const { message } = await failureOf(run);
      expect(message).toMatch(end);
      expect(message).not.toMatch(/secret/);
      // A name stands for a whole file or for nothing; what came may be continued.
      expect((await files()).filter((name) => !/\.part(\.json)?$/.test(name))).toEqual([]);
    },
  };
}

type Fault = (proceed: () => Promise<Answer>) => Promise<Answer | 'hang up'> | Answer | 'hang up';

const answering =
  (code: number): Fault =>
  () => ({ status: code });
const afterwards =
  (answer: Answer | 'hang up'): Fault =>
  async (proceed) => {
    await proceed();
    return answer;
  };

/** What an ownCloud does instead of what it was asked. */
const FAULTS: Readonly<Record<string, { readonly fault: Fault; readonly passes: boolean }>> = {
  ...Object.fromEntries(
    [423, 429, 500, 502, 503, 504].map((code) => [`answers ${code}`, { fault: answering(code), passes: true }]),
  ),
  ...Object.fromEntries(
    [400, 401, 403, 507].map((code) => [`answers ${code}`, { fault: answering(code), passes: false }]),
  ),
  'hangs up': { fault: () => 'hang up', passes: true },
  'does it and hangs up': { fault: afterwards('hang up'), passes: true },
  'does it and answers 504': { fault: afterwards({ status: 504 }), passes: true },
  redirects: { fault: () => ({ status: 302, headers: { location: '/login' } }), passes: false },
  'shows a page': {
    fault: () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }),
    passes: false,
  },
};

const NAME = 'set.zip';
const SIZES = { start: 10_000, min: 10_000, max: 20_000 };

/** As `localFile` makes it: so large that it goes in pieces. */
const RESUMED = Buffer.alloc(11_000_000, 'diatoms are algae with glass walls ');

interface Way {
  readonly methods: readonly string[];
  store(url: string): Promise<unknown>;
  /** How long the file is, where that is not 50 kB. */
  readonly bytes?: number;
}

/** The ways of an upload, and the requests of each that may fail. */
const WAYS: Readonly<Record<string, Way>> = {
  whole: {
    methods: ['MKCOL', 'PUT', 'MOVE'],
    store: async (url) => {
      const request = await localFile(50_000, NAME);
      const stored = await uploadFile(await connectTo(url), { ...request, folder: 'sets' }, { policy: SWIFT });
      expect(await readFile(request.localPath)).toHaveLength(50_000);
      return stored;
    },
  },
  'in pieces': {
    methods: ['PUT', 'MOVE'],
    store: async (url) => {
      const { source } = await completeFile(50_000);
      const options = { policy: SWIFT, sizes: SIZES, assemblyMs: () => 50 };
      const stored = await uploadGrowing(await connectTo(url), { source, folder: 'sets', name: NAME }, options);
      expect((await readFile(source.path)).equals(testBytes(50_000))).toBe(true);
      return stored;
    },
  },
  'in pieces that go on where they broke off': {
    methods: ['POST', 'PATCH', 'MOVE'],
    bytes: RESUMED.length,
    store: async (url) =>
      uploadFile(
        await connectTo(url),
        { ...(await localFile(RESUMED.length, NAME)), folder: 'sets' },
        { policy: SWIFT },
      ),
  },
};

function upload(way: string, method: string, fault: string, when: When): Row {
  return {
    name: `ownCloud ${fault} for ${method} of a file sent ${way}, ${when}`,
    prove: async () => {
      let seen = 0;
      const bytes = WAYS[way]?.bytes ?? 50_000;
      const resumes =
        bytes === RESUMED.length ? tusStandIn({ directory: () => server.directory, file: RESUMED }) : undefined;
      const hook: Hook = (request, proceed) => {
        const usual = resumes?.(request);
        if (request.method !== method || (seen++ > 0 && when === 'once')) return usual?.();
        return FAULTS[fault]?.fault(usual ?? proceed);
      };
      const server = await ownServer({ hook });
      const end = await WAYS[way]?.store(server.url).then(
        () => 'stored' as const,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      expect(seen, 'the fault has happened').toBeGreaterThan(0);
      const files = filesBelow(server.directory);
      if (when === 'once' && FAULTS[fault]?.passes) expect(end).toBe('stored');
      if (end === 'stored') {
        expect(files).toEqual([`sets/${NAME}`]);
      } else {
        expect(end).toMatch(/127\.0\.0\.1/);
        // Whatever else is left has no final name; a whole file may have got its own before the answer was lost.
        const whole = files.includes(`sets/${NAME}`);
        const others = files.filter((path) => path !== `sets/${NAME}` && !/^\.uploads\.part\/|\.uploading-/.test(path));
        expect(others).toEqual([]);
        if (whole) expect(await readFile(join(server.directory, 'sets', NAME))).toHaveLength(bytes);
        else if (method !== 'PUT') expect(await readdir(server.directory)).not.toContain(NAME);
      }
    },
  };
}

const ROWS = [
  ...DOWNLOADS.flatMap(([fault, serve, once, always]) => [
    download(fault, serve, 'once', once),
    download(fault, serve, 'always', always),
  ]),
  ...Object.entries(WAYS).flatMap(([way, { methods, bytes }]) => {
    const rows = methods.flatMap((method) =>
      Object.keys(FAULTS).flatMap((fault) => [
        upload(way, method, fault, 'once'),
        upload(way, method, fault, 'always'),
      ]),
    );
    return bytes === undefined ? rows : someOf(rows, 3);
  }),
];

// All but those of a large file, always: a row takes a moment.
table('faults of servers', ROWS);
