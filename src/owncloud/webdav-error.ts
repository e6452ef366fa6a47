import { DiatomError } from '../errors.ts';
import { NetworkError } from '../http/client.ts';
import { isPassingStatus } from '../http/passing-status.ts';
import type { RetryVerdict } from '../http/retry.ts';

/** A request that a WebDAV server answered, but not as needed. */
export interface Refusal {
  readonly method: string;
  readonly status: number;
  /** Host and port. */
  readonly host: string;
  /** What was asked for, from the remote's root, not encoded. */
  readonly path: string;
  /** The server's own words, when it has some. */
  readonly reason?: string | undefined;
  /** Where a redirect points to, without query. */
  readonly redirectsTo?: string | undefined;
  /** The kinds of sign-in that the server offers (`basic`, `digest` …), when it says so. */
  readonly offeredSignIn?: readonly string[] | undefined;
  readonly publicLink: boolean;
}

/** An answer with a status other than the one that means success. `status` is the server's. */
export class WebdavError extends DiatomError {
  readonly status: number;
  readonly method: string;
  /** The server's Retry-After in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Whether sending the same again may help. */
  readonly transient: boolean;
  readonly #refusal: Refusal;

  constructor(refusal: Refusal, retryAfterMs?: number) {
    super('OWNCLOUD', explainRefusal(refusal));
    this.name = 'WebdavError';
    this.#refusal = refusal;
    this.status = refusal.status;
    this.method = refusal.method;
    this.retryAfterMs = retryAfterMs;
    this.transient = isTransient(refusal.status) || (refusal.method === 'PUT' && isDamagedTransfer(refusal));
  }

  /** The same, said about another path. */
  of(path: string): WebdavError {
    // Nobody has made or renamed what is put together for the first time.
    return new WebdavError({ ...this.#refusal, path, method: 'PUT' }, this.retryAfterMs);
  }
}

/** A refusal of a part of a file, said about the file that people know. */
export function namingFile(error: unknown, path: string): unknown {
  return error instanceof WebdavError ? error.of(path) : error;
}

/** 423 is a lock (RFC 4918), of a sync client or of the server's own work. */
function isTransient(status: number): boolean {
  return status === 423 || isPassingStatus(status);
}

/**
 * ownCloud answers 400 when the bytes it got don't match OC-Checksum, Content-Length (apps/dav, Connector/Sabre/File.php)
 * or, for a file in pieces, OC-Total-Length (Upload/ChunkingPlugin.php).
 */
function isDamagedTransfer({ method, status, reason }: Refusal): boolean {
  const isTransfer = method === 'PUT' || method === 'MOVE';
  return isTransfer && status === 400 && /checksum|expected (?:file)?size|do not sum up/i.test(reason ?? '');
}

/** The HTTP status behind an error: ours, or one that the library `webdav` read from inside a multi-status answer. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : undefined;
}

/** Whether to send a request again after `error`. */
export function judgeWebdav(error: unknown): RetryVerdict {
  if (error instanceof WebdavError) {
    return error.transient ? { retry: true, afterMs: error.retryAfterMs } : { retry: false };
  }
  if (error instanceof NetworkError) return { retry: error.transient };
  return { retry: isTransient(statusOf(error) ?? 0) };
}

const DEEDS: Readonly<Record<string, string>> = {
  PROPFIND: 'show',
  MKCOL: 'create the folder',
  PUT: 'store',
  MOVE: 'rename',
  COPY: 'copy',
  DELETE: 'delete',
  GET: 'send',
};

function explainRefusal(refusal: Refusal): string {
  const { method, status, host, path, reason } = refusal;
  const known = path.replaceAll(/\.uploading-(?:[\w.-]+-)?[0-9a-f]{8}(?=\/|$)/g, '');
  const deed = `${DEEDS[method] ?? method} ${path === '/' ? 'its top folder' : `“${known}”`}`;
  const said = reason ? ` It says: “${status === 401 ? eachOnce(reason) : reason}”.` : '';
  return `The server ${host} did not ${deed} (status ${status}): ${adviceFor(refusal)}.${said}`;
}

/** SabreDAV gives the reasons of all its ways to sign in, one after the other (Auth plugin, `implode(', ', $reasons)`). */
function eachOnce(reasons: string): string {
  return [...new Set(reasons.split(', '))].join(', ');
}

function adviceFor(refusal: Refusal): string {
  const { method, status, redirectsTo } = refusal;
  switch (status) {
    case 400:
      return isDamagedTransfer(refusal)
        ? 'the file was damaged on the way: if this happens again, a proxy between the runner and the server alters it'
        : 'it does not accept the name or the request: check owncloud-folder for characters that the server does not allow';
    case 401:
      return adviceForSignIn(refusal);
    case 403:
      return refusal.publicLink
        ? 'the public link does not allow it: share the folder again with permission to upload'
        : 'the account may not do that there: choose a folder that belongs to it, or have the folder shared with permission to create, change and delete';
    case 404:
      return 'it does not exist: check the address and the folder; somebody may have moved or deleted it';
    case 405:
      return 'it does not do that at this address: check that owncloud-url is the address of an ownCloud, Nextcloud or WebDAV server';
    case 409:
      return 'the folder above it does not exist: somebody may have moved or deleted it in the meantime';
    case 412:
      return 'something with that name is already there';
    case 413:
      return 'the file is larger than the server, or a proxy before it, accepts: ask its administrator to raise the upload limit, or make the archive smaller (archive-content: results)';
    case 423:
      return 'it is locked by somebody or something else, such as a sync client or a virus scanner: wait some minutes and run again';
    case 429:
      return 'it has had too many requests: wait some minutes and run again';
    case 502:
      return method === 'MOVE'
        ? 'a proxy got no answer, or the server does not recognise its own address (then its administrator has to make the proxy pass on the host and https)'
        : 'a proxy got no answer from the server behind it: run again later, and ask its administrator if it stays so';
    case 503:
      return 'it is overloaded or in maintenance: run again later';
    case 504:
      return 'a proxy waited too long for the server behind it: run again later, and ask its administrator if it stays so';
    case 507:
      return 'there is no space left for this account: delete something there (the trash bin counts too), or ask the administrator for a larger quota';
    case 509:
      return 'its limit of traffic is used up: wait, or ask its administrator';
  }
  if (redirectsTo !== undefined) return adviceForRedirect(redirectsTo);
  if (status < 300) return 'that is not the answer of a WebDAV server: check owncloud-url';
  if (status < 500) return 'it does not accept the request: check owncloud-url and owncloud-folder';
  return 'it has a fault: run again later, and ask its administrator if it stays so';
}

/** What to do about a redirect, which is never followed: it would take the password, or the file, to another place. */
export function adviceForRedirect(target: string): string {
  return `it points to ${target} instead. If that is the server’s real address, write it into owncloud-url; if it is a sign-in page, the server needs an app password`;
}

function adviceForSignIn({ publicLink, offeredSignIn = [] }: Refusal): string {
  if (offeredSignIn.length > 0 && !offeredSignIn.some((scheme) => scheme === 'basic' || scheme === 'dummybasic')) {
    return `it wants a kind of sign-in that is not supported (${offeredSignIn.join(', ')}): ask its administrator to allow “Basic” sign-in, over https`;
  }
  if (publicLink) {
    return 'the link’s password is missing or wrong (owncloud-password), or the link has been withdrawn; a public link needs no owncloud-username';
  }
  return 'the user name or the password is wrong: check owncloud-username and owncloud-password. With two-factor or institutional sign-in the server takes only an app password: make one in its personal settings, under Security';
}
