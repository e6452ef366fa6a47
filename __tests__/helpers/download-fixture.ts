import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { DownloadOptions } from '../../src/download/download-file.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { type Serve, startServer } from './loopback-server.ts';

/** The path, query and password of every download in these tests, so that none of them can hide in a message. */
export const SECRET_PATH = '/secret-folder/secret-link?token=secret-token';

/**
 * A server, a download folder and a client with short time-outs, gone after the test. `url` has a path and a query that
 * are secrets; `progress`, `retries` and `warnings` collect what the callbacks are told.
 */
export async function downloadFixture(serve: Serve) {
  const server = await startServer(serve);
  const directory = await mkdtemp(join(tmpdir(), 'download-test-'));
  const http = createHttpClient({ idleTimeoutMs: 250 });
  onTestFinished(async () => {
    await http.close();
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });
  const progress: { fileName: string; doneBytes: number; totalBytes: number | undefined }[] = [];
  const retries: { fileName: string; attempt: number; waitMs: number; error: unknown }[] = [];
  const warnings: string[] = [];
  const options = {
    directory,
    http,
    policy: { tries: 3, firstDelayMs: 1, maxDelayMs: 2, maxRetryAfterMs: 2_000 },
    onProgress: (event) => void progress.push(event),
    onRetry: (notice) => void retries.push(notice),
    onWarning: (message) => void warnings.push(message),
  } satisfies DownloadOptions;
  const url = `${server.origin}${SECRET_PATH}`;
  return { server, directory, options, url, progress, retries, warnings, files: () => readdir(directory) };
}
