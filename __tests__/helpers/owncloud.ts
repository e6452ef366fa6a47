import { createHash } from 'node:crypto';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type OwncloudServerOptions, startOwncloudServer } from '../../scripts/stand-ins/owncloud-server.ts';
import { createHttpClient } from '../../src/http/client.ts';
import type { RetryPolicy } from '../../src/http/retry.ts';
import { type ConnectOptions, connect, type OwncloudSettings } from '../../src/owncloud/connect.ts';
import type { UploadRequest } from '../../src/owncloud/upload.ts';

/** Names and a password that a careless encoding would break. */
export const USER = 'Ångström';
export const PASSWORD = 'pä:ss wörd€';

/** Several tries without noticeable waits. */
export const SWIFT: RetryPolicy = { tries: 4, firstDelayMs: 2, maxDelayMs: 5, maxRetryAfterMs: 50 };

export async function temporaryFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'owncloud-test-')));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The stand-in server on an empty directory, gone after the test. */
export async function ownServer(options: Partial<OwncloudServerOptions> = {}) {
  const directory = await temporaryFolder();
  const server = await startOwncloudServer({ directory, username: USER, password: PASSWORD, ...options });
  onTestFinished(() => server.close());
  return server;
}

/** Any other HTTP server, gone after the test; it remembers what it was asked. */
export async function otherServer(listener: RequestListener) {
  const requests: { method: string; path: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push({ method, path: url, authorization: headers.authorization });
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, requests };
}

export async function connectTo(
  url: string,
  settings: Partial<OwncloudSettings> = {},
  options: Partial<ConnectOptions> = {},
) {
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const remote = await connect(
    { url, username: USER, password: PASSWORD, ...settings },
    { http, policy: SWIFT, ...options },
  );
  return { ...remote, ...(await remote.ways()) };
}

/** A local file of `bytes` bytes that are not all the same, and the request to upload it. */
export async function localFile(bytes: number, name = 'diatom_set-2026-11-22-17-45-00.zip'): Promise<UploadRequest> {
  const data = Buffer.alloc(bytes, 'diatoms are algae with glass walls ');
  const localPath = join(await temporaryFolder(), name);
  await writeFile(localPath, data);
  return { localPath, folder: 'data sets', name, bytes, uploadSum: createHash('sha1').update(data).digest('hex') };
}

/** The error that `run` ends with; a run that succeeds is a failure of the test. */
export async function errorOf(run: Promise<unknown>): Promise<Error> {
  const outcome = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error('expected an error, but it succeeded');
}
