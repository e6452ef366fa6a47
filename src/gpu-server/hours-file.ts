import { DiatomError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import type { RetryPolicy } from '../http/retry.ts';
import { HOURS_FILE, hoursText, parseHours, type ServerHours } from '../model/gpu-hours.ts';
import { temporaryPath } from '../owncloud/confirmed-writes.ts';
import { connect, type OwncloudSettings } from '../owncloud/connect.ts';
import { takeLock } from '../owncloud/lock.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { replaceText } from '../owncloud/replace-file.ts';
import { info } from '../runner/log.ts';

/** Where the hours are kept. */
export interface HoursPlace {
  readonly account: OwncloudSettings;
  readonly folder: string;
}

/** A folder beside the file, as ownCloud’s locks are. */
const LOCK = '.gpu-hours-lock';

/** Reading and writing takes seconds: who holds the file for minutes is over. */
const PATIENCE = { staleMs: 10 * 60_000, waitMs: 2 * 60_000, pollMs: 1_000 };

/** What is sent is small. */
const ANSWER_MS = 60_000;

/** A server that is down is no reason to let a GPU wait for long. */
const POLICY: RetryPolicy = { tries: 4, firstDelayMs: 1_000, maxDelayMs: 10_000, maxRetryAfterMs: 30_000 };

/**
 * Changes the file, with nobody else at it: what `change` makes of its rows is stored in its place.
 *
 * @throws DiatomError `OWNCLOUD`, `NETWORK`, `INPUT`, `CANCELLED`, and what `change` throws: then the file is as it was
 */
export async function changeHours(
  { account, folder }: HoursPlace,
  { http, signal, owner }: { readonly http: HttpClient; readonly signal: AbortSignal; readonly owner: string },
  change: (rows: readonly ServerHours[]) => readonly ServerHours[],
): Promise<void> {
  const options = { signal, policy: POLICY };
  const remote = await signIn(account, http, options);
  const now = () => new Date();
  const lock = await takeLock(
    remote,
    { folder: [folder, LOCK].join('/'), owner, ...PATIENCE, now, onWait: info },
    options,
  );
  try {
    const path = remotePath(folder, HOURS_FILE);
    const before = await textOf(remote, path, options);
    const text = hoursText(change(parseHours(before)));
    if (text === before) return;
    await lock.requireHeld();
    await replaceText(remote, { path, temporary: temporaryPath(path), text }, options);
  } finally {
    await lock.release();
  }
}

/** Reads the file as it is now. @throws DiatomError `OWNCLOUD`, `NETWORK`, `INPUT`, `CANCELLED` */
export async function readHours(
  { account, folder }: HoursPlace,
  { http, signal }: { readonly http: HttpClient; readonly signal: AbortSignal },
): Promise<readonly ServerHours[]> {
  const options = { signal, policy: POLICY };
  const remote = await signIn(account, http, options);
  return parseHours(await textOf(remote, remotePath(folder, HOURS_FILE), options));
}

async function signIn(account: OwncloudSettings, http: HttpClient, options: RemoteOptions): Promise<Remote> {
  const remote = await connect(account, { http, answerTimeoutMs: ANSWER_MS, ...options });
  if (remote.access === 'full') return remote;
  throw new DiatomError(
    'INPUT',
    `Input owncloud-url is an ${remote.description}: ${HOURS_FILE} has to be read and replaced there.`,
  );
}

async function textOf(remote: Remote, path: string, options: RemoteOptions): Promise<string> {
  return (await readText(remote, path, options)) ?? '';
}
