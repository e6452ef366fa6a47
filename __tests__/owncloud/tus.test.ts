import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { Answer, Hook, SeenRequest } from '../../scripts/stand-ins/owncloud-server.ts';
import type { FileDigest } from '../../src/files/digest-file.ts';
import { type UploadOptions, uploadFile } from '../../src/owncloud/upload.ts';
import { uploadGrowing } from '../../src/owncloud/upload-growing.ts';
import { connectTo, errorOf, localFile, ownServer, SWIFT } from '../helpers/owncloud.ts';
import { TUS_OFFER, tusStandIn } from '../helpers/tus-stand-in.ts';

const MB = 1_000_000;
const BYTES = 12 * MB;

async function setUp({
  offer = TUS_OFFER,
  answer = () => undefined,
}: {
  readonly offer?: unknown;
  readonly answer?: (request: SeenRequest) => Answer | undefined;
} = {}) {
  const request = await localFile(BYTES);
  const seen: SeenRequest[] = [];
  const file = await readFile(request.localPath);
  const standIn = tusStandIn({ directory: () => server.directory, file, offer });
  const hook: Hook = (asked) => {
    const usual = standIn(asked);
    if (usual && asked.method !== 'GET') seen.push(asked);
    return (asked.method === 'GET' ? undefined : answer(asked)) ?? usual?.();
  };
  const server = await ownServer({ hook });
  const remote = await connectTo(server.url);
  const said: string[] = [];
  const upload = (more: Partial<UploadOptions> = {}) =>
    uploadFile(remote, request, { policy: SWIFT, onWarning: (text) => said.push(text), ...more });
  return { remote, request, seen, said, upload, methods: () => seen.map(({ method }) => method) };
}

describe('what a server offers', () => {
  test.each<[string, unknown, object | undefined]>([
    ['all that is needed', TUS_OFFER, { maxPieceBytes: undefined, overridesPatch: false }],
    ['a limit', { ...TUS_OFFER, max_chunk_size: 5_000_000 }, { maxPieceBytes: 5_000_000 }],
    ['no limit, written as 0', { ...TUS_OFFER, max_chunk_size: 0 }, { maxPieceBytes: undefined }],
    ['POST in place of PATCH', { ...TUS_OFFER, http_method_override: 'POST' }, { overridesPatch: true }],
    ['several versions', { ...TUS_OFFER, version: '1.0.0, 0.2.2' }, {}],
    ['another version', { ...TUS_OFFER, version: '2.0.0' }, undefined],
    ['no way to begin an upload', { ...TUS_OFFER, extension: 'termination,creation-with-upload' }, undefined],
    ['nothing', null, undefined],
    ['nothing of use', 'yes', undefined],
  ])('%s', async (_, offer, expected) => {
    const { remote, said } = await setUp({ offer });
    if (expected) expect(remote.tus).toMatchObject(expected);
    else expect(remote.tus).toBeUndefined();
    expect(remote.chunking).toBeUndefined();
    expect(said).toEqual([]);
  });
});

test('the upload is begun in the file’s folder, with length, name and sum, and goes on at the address that comes back', async () => {
  const { seen, upload } = await setUp();
  expect((await upload()).verified).toBe('checksum');
  const [post, ...patches] = seen;
  expect(post?.path).toMatch(/\/data sets\/$/);
  expect(post?.headers).toMatchObject({ 'upload-length': String(BYTES), 'tus-resumable': '1.0.0' });
  const metadata = String(post?.headers['upload-metadata'])
    .split(',')
    .map((pair) => pair.split(' '));
  expect(metadata.map(([name]) => name)).toEqual(['filename', 'checksum']);
  expect(Buffer.from(metadata[1]?.[1] ?? '', 'base64').toString()).toMatch(/^sha1 [0-9a-f]{40}$/);
  expect(patches.map(({ method, path }) => [method, path])).toEqual([
    ['PATCH', '/data/k3y'],
    ['PATCH', '/data/k3y'],
  ]);
  for (const { headers } of patches) expect(headers['authorization']).toBe(post?.headers['authorization']);
});

test('a file that grows is sent when it is complete, as its length has to be said beforehand', async () => {
  const { remote, request, methods } = await setUp();
  const { localPath, uploadSum, folder, name } = request;
  const complete = Promise.withResolvers<FileDigest>();
  const source = { path: localPath, complete: complete.promise, reach: async () => BYTES };
  const uploading = uploadGrowing(remote, { source, folder, name }, { policy: SWIFT });
  expect(methods()).toEqual([]);
  complete.resolve({ bytes: BYTES, uploadSum, sha256: '' });
  expect((await uploading).verified).toBe('checksum');
  expect(methods()).toEqual(['POST', 'PATCH', 'PATCH']);
});

test.each<[string, Answer]>([
  ['has another part of the file', { status: 409 }],
  ['got other bytes of a piece', { status: 460 }],
  ['is busy with the broken connection', { status: 423 }],
  ['does not say what it has', { status: 204 }],
  ['says that it has nothing', { status: 204, headers: { 'upload-offset': '0' } }],
  ['says that it has more than there is', { status: 204, headers: { 'upload-offset': String(BYTES + 1) } }],
  ['says something else', { status: 204, headers: { 'upload-offset': '-1, 5' } }],
])('a server that %s is asked what it has', async (_, odd) => {
  let times = 0;
  const { methods, upload } = await setUp({
    answer: ({ method }) => (method === 'PATCH' && times++ === 0 ? odd : undefined),
  });
  await upload();
  expect(methods().slice(0, 3)).toEqual(['POST', 'PATCH', 'HEAD']);
});

test.each<[string, Answer]>([
  ['gives no address', { status: 201 }],
  ['gives one that can’t be read', { status: 201, headers: { location: 'http://[' } }],
  ['gives one at another server', { status: 201, headers: { location: 'http://127.0.0.1:1/data/k3y' } }],
  ['gives one without TLS or with', { status: 201, headers: { location: '//127.0.0.2/data/k3y' } }],
  ['does not know how after all', { status: 405 }],
  ['does not take the name', { status: 412 }],
])('a server that %s gets the file in one piece, and a warning says so', async (_, odd) => {
  const { methods, said, upload } = await setUp({ answer: ({ method }) => (method === 'POST' ? odd : undefined) });
  expect((await upload()).verified).toBe('checksum');
  expect(methods()).toEqual(['POST']);
  expect(said.join()).toContain('in one piece');
});

test.each([
  ['a redirect of the beginning', 'POST', 302],
  ['no space', 'POST', 507],
  ['a file that is too large', 'POST', 413],
  ['a name that was taken in between', 'PATCH', 412],
  ['pieces of the smallest size that are too large', 'PATCH', 413],
])(
  '%s ends the upload: the error names the file and not the upload’s address, which is deleted',
  async (_, at, status) => {
    const { methods, said, upload } = await setUp({
      answer: ({ method }) =>
        method === at ? { status, headers: { location: 'https://elsewhere.example/x' } } : undefined,
    });
    const error = await errorOf(upload());
    expect(error.message).toContain(`store “/data sets/diatom_set-2026-11-22-17-45-00.zip” (status ${status})`);
    expect([error.message, ...said].join()).not.toContain('k3y');
    expect(methods().includes('DELETE')).toBe(at === 'PATCH');
  },
);

test('a server that takes no PATCH at all gets the file in one piece in the end', async () => {
  const { methods, said, upload } = await setUp({
    answer: ({ method }) => (method === 'PATCH' ? { status: 405 } : undefined),
  });
  expect((await upload()).verified).toBe('checksum');
  expect(methods()).toEqual(['POST', 'PATCH', 'DELETE', 'POST', 'PATCH', 'DELETE']);
  expect(said.map((text) => text.replace(/.*: /, ''))).toEqual(['it is sent once more.', 'it is sent in one piece.']);
});

test('an upload that can’t be deleted is said', async () => {
  const { said, upload } = await setUp({
    answer: ({ method }) => (['PATCH', 'DELETE'].includes(method) ? { status: 400 } : undefined),
  });
  await errorOf(upload());
  expect(said.join()).toContain('may still take up space');
});
