import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startServer } from '../helpers/loopback-server.ts';
import { errorOf, prepareDataFixture } from '../helpers/prepare-data.ts';
import { temporaryFolder } from '../helpers/runner.ts';
import { sendFile, sha256 } from '../helpers/served-zip.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const IMAGES = 10;
const IMAGE_BYTES = 4e6;
/** What has come when the server stops: the first four images, and a part of the fifth. */
const FIRST_BYTES = 18e6;

/** Nothing compresses it, and it is the same everywhere. */
function noise(seed: string): Buffer {
  return createHash('shake256', { outputLength: IMAGE_BYTES }).update(seed).digest();
}

/** Large enough to be worked on while it comes. Its images do not stand in the order of their names. */
function largeZip(own: { readonly damaged?: number } = {}): Buffer {
  const entries = Array.from({ length: IMAGES }, (_, index) => ({
    name: `a/${IMAGES - 1 - index}.png`,
    data: noise(String(index)),
    ...(index === own.damaged && { crc32: 1 }),
  }));
  return buildZip({ entries });
}

const ZIP = largeZip();

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that shows the directory of a zip at once; its n-th download gets the n-th answer, and the last ones the last. */
async function serveZip(file: Buffer, ...answers: readonly [Answer, ...Answer[]]) {
  let number = 0;
  const server = await startServer((request, response) => {
    const isLook = request.method === 'HEAD' || request.headers.range?.startsWith('bytes=-');
    if (isLook) sendFile(request, response, file, { etag: '"1"', ranges: true });
    else answers[Math.min(number++, answers.length - 1)]?.(request, response);
  });
  onTestFinished(() => server.close());
  const entry = { file_url: `${server.origin}/a.zip`, downloaded_file_name: 'a.zip', exploded_folder_name: 'a' };
  return { ...entry, species_label: 'Hannaea' };
}

const all =
  (file: Buffer, etag = '"1"'): Answer =>
  (request, response) =>
    sendFile(request, response, file, { etag, ranges: true });

const breakOff =
  (file: Buffer): Answer =>
  (request, response) =>
    sendFile(request, response, file, { etag: '"1"', ranges: true, cutAfter: FIRST_BYTES });

/** Sends the rest when it is told to. */
function inTwo(file: Buffer): { readonly answer: Answer; readonly goOn: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    goOn: resolve,
    answer: async (_, response) => {
      response.writeHead(200, { etag: '"1"', 'accept-ranges': 'bytes', 'content-length': file.length });
      response.write(file.subarray(0, FIRST_BYTES));
      await promise;
      response.end(file.subarray(FIRST_BYTES));
    },
  };
}

const INPUTS = { 'archive-content': 'results', upload: 'false', 'n-test': '1' };

let fixture: Awaited<ReturnType<typeof prepareDataFixture>>;

beforeEach(async () => {
  fixture = await prepareDataFixture();
});

function start(entry: Awaited<ReturnType<typeof serveZip>> & { readonly sha256?: string }, workspace?: string) {
  return fixture.start({ ...INPUTS, 'file-list': JSON.stringify([entry]) }, {}, workspace);
}

/** The archive's sum when all of the zip is here before anything is done with it. */
async function sumWhenWhole(): Promise<string | undefined> {
  const server = await startServer((request, response) => sendFile(request, response, ZIP, {}));
  onTestFinished(() => server.close());
  const entry = await serveZip(ZIP, all(ZIP));
  const result = await start({ ...entry, file_url: `${server.origin}/a.zip` }, temporaryFolder()).result;
  expect(result.exitCode).toBe(0);
  return result.outputs['archive-sha256'];
}

const organised = () => {
  const results = join(fixture.workspace, 'data', 'results');
  return ['train', 'test'].flatMap((split) => {
    const folder = join(results, split, 'Hannaea');
    return existsSync(folder) ? readdirSync(folder) : [];
  });
};

test('images are organised while their zip is still on its way, and the archive is the same', async () => {
  const { answer, goOn } = inTwo(ZIP);
  const action = start(await serveZip(ZIP, answer));
  while (organised().length < 4) await sleep(10);
  expect(readdirSync(join(fixture.workspace, 'data', 'downloads'))).not.toContain('a.zip');
  expect(organised().toSorted()).toEqual(['6.png', '7.png', '8.png', '9.png']);
  goOn();
  const { exitCode, outputs } = await action.result;
  expect(exitCode).toBe(0);
  expect(organised()).toHaveLength(IMAGES);
  expect(outputs['archive-sha256']).toBe(await sumWhenWhole());
});

test('a zip whose sum is in the list is waited for: nothing else vouches for each of its bytes', async () => {
  const { answer, goOn } = inTwo(ZIP);
  const entry = await serveZip(ZIP, answer);
  const action = start({ ...entry, sha256: sha256(ZIP) });
  const part = join(fixture.workspace, 'data', 'downloads', 'a.zip.part');
  // The last of it may still be in memory.
  while (!existsSync(part) || statSync(part).size < FIRST_BYTES - 2 ** 20) await sleep(10);
  await sleep(300);
  expect(organised()).toEqual([]);
  goOn();
  const { exitCode, outputs } = await action.result;
  expect(exitCode).toBe(0);
  expect(outputs['archive-sha256']).toBe(await sumWhenWhole());
});

describe('a connection that breaks', () => {
  test('and goes on where it was', async () => {
    const { exitCode, outputs } = await start(await serveZip(ZIP, breakOff(ZIP), all(ZIP))).result;
    expect(exitCode).toBe(0);
    expect(outputs['archive-sha256']).toBe(await sumWhenWhole());
  });

  test('and starts from the beginning, with the same zip', async () => {
    const { exitCode, outputs } = await start(await serveZip(ZIP, breakOff(ZIP), all(ZIP, '"2"'))).result;
    expect(exitCode).toBe(0);
    expect(outputs['archive-sha256']).toBe(await sumWhenWhole());
  });

  test('and starts from the beginning, with another zip: nothing of an archive stays', async () => {
    const other = buildZip({ entries: [{ name: 'a/1.png', data: noise('other') }] });
    const result = await start(await serveZip(ZIP, breakOff(ZIP), all(other, '"2"'))).result;
    expect(errorOf(result)).toBe(
      'a.zip was changed on its server while it was downloaded: run again, when nobody works on it any more.',
    );
    expect(readdirSync(fixture.workspace)).toEqual(['data']);
  });
});

describe('what is wrong with a zip is said when all of it is here', () => {
  test('a damaged image', async () => {
    const damaged = largeZip({ damaged: 2 });
    const { answer, goOn } = inTwo(damaged);
    const action = start(await serveZip(damaged, answer));
    while (organised().length < 2) await sleep(10);
    goOn();
    expect(errorOf(await action.result)).toMatch(/a\.zip.*a\/7\.png.*is damaged: its checksum/);
  });

  test('another sum than the file list has comes before what is damaged', async () => {
    const damaged = largeZip({ damaged: 2 });
    const entry = await serveZip(damaged, all(damaged));
    const result = await start({ ...entry, sha256: sha256('another') }).result;
    expect(errorOf(result)).toContain(`has the SHA-256 ${sha256(damaged)}, the file list expects`);
    expect(readdirSync(fixture.workspace)).toEqual(['data']);
  });
});
