import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createHttpClient } from '../../src/http/client.ts';
import { findBestOther } from '../../src/model/best-version.ts';
import { connect } from '../../src/owncloud/connect.ts';
import { MODEL_FOLDER, metrics } from '../helpers/model.ts';
import { ownServer, PASSWORD, SWIFT, USER } from '../helpers/owncloud.ts';

interface Stored {
  readonly accuracy?: number;
  readonly classes?: readonly string[];
  /** What it has replaced, once for each time that it went to production. */
  readonly replaced?: readonly (string | null)[];
}

/** Asks a server with these versions which one is best, beside the one given. */
async function best(versions: Readonly<Record<string, Stored>>, production: string, damage?: [string, string]) {
  const server = await ownServer();
  const folder = (...path: string[]) => join(server.directory, MODEL_FOLDER, ...path);
  for (const [name, { accuracy = 0.9, classes = ['a', 'b'], replaced = [] }] of Object.entries(versions)) {
    await mkdir(folder(name), { recursive: true });
    const promotions = replaced.map((one) => ({ time: '2026-02-01T03:17:00Z', by: 'checks', replaced: one }));
    await writeFile(
      folder(name, 'verdict.json'),
      JSON.stringify({ format: 1, stored: null, judged: null, promotions }),
    );
    await writeFile(folder(name, 'metrics.json'), JSON.stringify(metrics({ accuracy })));
    await writeFile(folder(name, 'classes.json'), JSON.stringify(classes, undefined, 2));
  }
  if (damage) await writeFile(folder(...damage), '{"accuracy": 0.');
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const remote = await connect({ url: server.url, username: USER, password: PASSWORD }, { http, policy: SWIFT });
  return findBestOther(remote, { folder: MODEL_FOLDER, production, classes: ['a', 'b'] }, { policy: SWIFT });
}

const found = (version: string) => ({ version, notCompared: undefined });

test('is the most accurate one that was in production and is not there now; one that never was does not count', async () => {
  const versions = {
    v1: { accuracy: 0.91, replaced: [null] },
    v2: { accuracy: 0.95, replaced: ['v1'] },
    v3: { accuracy: 0.99 },
    v4: { accuracy: 0.9, replaced: ['v2'] },
  };
  expect(await best(versions, 'v4')).toEqual(found('v2'));
  expect(await best(versions, 'v2')).toBeUndefined();
});

test('of equally accurate ones the newest counts, and production before all', async () => {
  const both = { v1: { replaced: [null] }, v2: { replaced: ['v1'] } };
  expect(await best({ ...both, v3: { accuracy: 0.8, replaced: ['v2'] } }, 'v3')).toEqual(found('v2'));
  expect(await best({ ...both, v3: { replaced: ['v2'] } }, 'v3')).toBeUndefined();
});

test('a version whose own record was not written counts by the record of the one that replaced it', async () => {
  const versions = { v1: { accuracy: 0.95 }, v2: { replaced: ['v1'] } };
  expect(await best(versions, 'v2')).toEqual(found('v1'));
});

test('one with other classes does not count; when there is no other, that is said, and what is gone is, too', async () => {
  const other = { accuracy: 0.99, classes: ['b', 'a'], replaced: [null] };
  const versions = { v1: other, v2: { accuracy: 0.91, replaced: ['v1'] }, v3: { replaced: ['v2'] } };
  expect(await best(versions, 'v3')).toEqual(found('v2'));
  expect(await best({ v1: other, v3: { replaced: ['v1', 'v2', null] } }, 'v3')).toEqual({
    version: undefined,
    notCompared: 'v1 has other classes; v2 is not there any more',
  });
});

test('where nothing else was in production, or production itself is unknown, there is what there is', async () => {
  expect(await best({ v1: { replaced: [null] }, v2: { accuracy: 0.99 } }, 'v1')).toBeUndefined();
  expect(await best({}, 'v1')).toBeUndefined();
  expect(await best({ v1: { replaced: [null] } }, 'by hand')).toEqual(found('v1'));
});

test('files that can’t be read keep no other version from being found', async () => {
  const versions = {
    v1: { accuracy: 0.95, replaced: [null] },
    v2: { accuracy: 0.97, replaced: ['v1'] },
    v3: { replaced: ['v2'] },
  };
  expect(await best(versions, 'v3', ['v2', 'metrics.json'])).toEqual(found('v1'));
  expect(await best(versions, 'v3', ['v2', 'verdict.json'])).toEqual(found('v2'));
  expect(await best(versions, 'v3', ['v2', 'classes.json'])).toEqual(found('v1'));
});
