import { DiatomError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import { DEFAULT_RETRY_POLICY, type RetryPolicy, withRetries } from '../http/retry.ts';
import { type OwncloudAddress, parseOwncloudAddress } from './address.ts';
import type { Endpoint } from './endpoint.ts';
import { lookUp, type RemoteFile } from './look-up.ts';
import { type Access, type LinkEndpoint, linkAccess, linkEndpoints } from './public-link.ts';
import type { Remote, Ways } from './remote.ts';
import { decodedPath, folderParts, folderUrl, urlBelow } from './remote-path.ts';
import { type Product, readServerStatus, type ServerStatus } from './server-status.ts';
import { findSpace, noSuchFolder } from './shown-folder.ts';
import { findWays, type WaysSearch } from './upload-ways.ts';
import { createWebdavClient, WebdavTransport } from './webdav-client.ts';
import { judgeWebdav, statusOf, WebdavError } from './webdav-error.ts';

/** The inputs `owncloud-url`, `owncloud-username` and `owncloud-password`. The last two may be empty for a public link. */
export interface OwncloudSettings {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

export interface ConnectOptions {
  readonly http: HttpClient;
  readonly signal?: AbortSignal | undefined;
  readonly policy?: RetryPolicy | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  /**
   * How long the server may take to answer once a whole file was sent. The default is 30 minutes: servers scan, assemble
   * and copy a large file before they answer.
   */
  readonly answerTimeoutMs?: number | undefined;
  /** See `markOf`. */
  readonly mark?: string | undefined;
}

/**
 * Finds out what `owncloud-url` points to and signs in there.
 *
 * `status.php` tells an ownCloud, Nextcloud or Infinite Scale; any other address is used as it is when it answers a
 * PROPFIND with a multi-status (OPTIONS is not asked: many servers and proxies answer it without meaning it).
 *
 * @throws DiatomError `INPUT` for settings that can't be right, `OWNCLOUD` when the server refuses or is in maintenance,
 *   `NETWORK` when it can't be reached, `CANCELLED`
 */
export async function connect(settings: OwncloudSettings, options: ConnectOptions): Promise<Remote> {
  return { ...(await open(settings, options)), mark: options.mark };
}

async function open(settings: OwncloudSettings, options: ConnectOptions): Promise<Remote> {
  const address = parseOwncloudAddress(settings.url);
  if (address.base.protocol === 'http:' && !isLoopback(address.base)) {
    options.onWarning?.(
      `owncloud-url begins with http://: the password and the data go to ${address.base.host} unencrypted. Use https:// unless this is a server in your own network.`,
    );
  }
  const status = await patiently(options, () => readServerStatus(options.http, address.base, options.signal));
  if (status?.maintenance) {
    throw new DiatomError('OWNCLOUD', `${status.title} at ${address.base.host} is in maintenance: run again later.`);
  }
  switch (address.kind) {
    case 'public-link':
      return connectLink(address, settings, status, options);
    case 'dav':
      return connectDav(address, settings, status, options);
    case 'space':
      return connectDav(await locateSpace(address, settings, options), settings, status, options);
    case 'server':
      return status ? connectServer(address, settings, status, options) : connectWebdav(address, settings, options);
  }
}

/** Whether an address is this machine itself, so that nothing goes over a network. URL writes every form of 127.0.0.0/8 so. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/** A server of ownCloud's family: the folder of the user's files, or one in it. */
async function connectServer(
  { base, folder }: Extract<OwncloudAddress, { kind: 'server' }>,
  settings: OwncloudSettings,
  status: ServerStatus,
  options: ConnectOptions,
): Promise<Remote> {
  const { username } = settings;
  if (username === '') {
    throw new DiatomError('INPUT', `owncloud-username is empty: ${status.title} at ${base.host} needs a user name.`);
  }
  // People may sign in with an e-mail address, which is no part of the first address: there the second one helps.
  const home = `remote.php/dav/files/${encodeURIComponent(username)}/`;
  const roots = [new URL(home, base), new URL('remote.php/webdav/', base)].map((root) => folderUrl(root, folder));
  let missing: unknown;
  for (const root of roots) {
    const session = openSession(root, accountOf(settings), options);
    try {
      const top = await session.top();
      if (!isForeignHome(top, status.product)) return signedIn(session, { status, base, settings }, options);
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      missing = error;
    }
  }
  if (folder !== '') throw noSuchFolder(base, folder, missing);
  throw new DiatomError(
    'OWNCLOUD',
    `${status.title} at ${base.host} has no folder of files for the user “${username}”: check owncloud-username, and try the full WebDAV address that the server shows in its files settings.`,
    { cause: missing },
  );
}

/** A WebDAV address that a person copied from the settings of ownCloud, Nextcloud or Infinite Scale. */
async function connectDav(
  { base, root }: Extract<OwncloudAddress, { kind: 'dav' }>,
  settings: OwncloudSettings,
  status: ServerStatus | undefined,
  options: ConnectOptions,
): Promise<Remote> {
  const session = openSession(root, accountOf(settings), options);
  const top = await session.top();
  if (status && isForeignHome(top, status.product)) {
    throw new DiatomError(
      'OWNCLOUD',
      `owncloud-url is the folder of another user than “${settings.username}”: write the server’s address ${base.href} only.`,
    );
  }
  return status
    ? signedIn(session, { status, base, settings }, options)
    : remoteOf(session, { status, base, settings });
}

/** The remote of a user of a server of ownCloud's family. */
function signedIn(
  session: Session,
  facts: RemoteFacts & { readonly status: ServerStatus },
  options: ConnectOptions,
): Remote {
  const { product } = facts.status;
  const send: WebdavTransport['send'] = (url, request) => session.transport.send(url, request);
  const search: WaysSearch = {
    product,
    base: facts.base,
    root: session.root,
    ask: async (url) => {
      // Both products refuse these addresses without the first header (OCS-APIRequest), for the sake of browsers.
      const headers = { 'ocs-apirequest': 'true', accept: 'application/json' };
      const { signal } = options;
      return (await send(url, { method: 'GET', headers, body: undefined, signal })).text();
    },
    send,
    open: (root) => ({ rootUrl: root, product, client: openSession(root, accountOf(facts.settings), options).client }),
    patiently: (attempt) => patiently(options, attempt),
    signal: options.signal,
    onWarning: options.onWarning,
  };
  let asked: Promise<Ways> | undefined;
  const ways = () => {
    asked ??= findWays(search).catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
  return remoteOf(session, { ...facts, ways });
}

async function connectWebdav(
  { base, folder }: Extract<OwncloudAddress, { kind: 'server' }>,
  settings: OwncloudSettings,
  options: ConnectOptions,
): Promise<Remote> {
  const root = folderUrl(base, folder);
  const session = openSession(root, accountOf(settings), options);
  try {
    await session.top();
  } catch (error) {
    if (!(error instanceof WebdavError) || ![200, 400, 404, 405, 501].includes(error.status)) throw error;
    throw new DiatomError(
      'OWNCLOUD',
      `At ${root.host}${root.pathname} there is neither an ownCloud or Nextcloud (no status.php) nor a WebDAV folder (status ${error.status}): check owncloud-url; it is the address in the browser when you look at your files.`,
      { cause: error },
    );
  }
  return remoteOf(session, { status: undefined, base: root, settings });
}

/** A public link: the first of the server's addresses for it that answers. */
async function connectLink(
  { base, token, folder }: Extract<OwncloudAddress, { kind: 'public-link' }>,
  settings: OwncloudSettings,
  status: ServerStatus | undefined,
  options: ConnectOptions,
): Promise<Remote> {
  if (!status) {
    throw new DiatomError(
      'OWNCLOUD',
      `owncloud-url looks like a public link, but there is no ownCloud or Nextcloud at ${base.host}${base.pathname}: check the link.`,
    );
  }
  if (settings.username !== '') {
    options.onWarning?.('owncloud-username is not used: owncloud-url is a public link, only its password counts.');
  }
  let refusal: unknown;
  for (const endpoint of linkEndpoints(status.product, base, token)) {
    const session = openSession(endpoint.root, linkAccountOf(endpoint, settings.password), options, true);
    try {
      const access = linkAccess(await session.top());
      if (access) {
        const below = folder === '' ? session : await openBelow(endpoint, folder, access, { base, settings, options });
        return remoteOf(below, { status, base, settings, link: { token, access } });
      }
      refusal = new DiatomError(
        'OWNCLOUD',
        `The public link at ${base.host} does not allow uploads: share the folder again with permission to upload.`,
      );
      break;
    } catch (error) {
      // Nextcloud answers so for a link that only takes uploads (apps/dav/lib/Files/Sharing/FilesDropPlugin.php).
      if (statusOf(error) === 405 && status.product === 'nextcloud') {
        return remoteOf(session, { status, base, settings, link: { token, access: 'upload-only' } });
      }
      // A server that does not know the newer address answers 401 or 404; the older one's answer then says more.
      if (![401, 404].includes(statusOf(error) ?? 0)) throw error;
      if (statusOf(refusal) !== 401) refusal = error;
    }
  }
  if (statusOf(refusal) === 404) {
    throw new DiatomError(
      'OWNCLOUD',
      `The public link at ${base.host} does not exist (any more): it was withdrawn, has expired, or is mistyped.`,
      { cause: refusal },
    );
  }
  throw refusal;
}

/** Asks the server where a project space has its files. */
async function locateSpace(
  address: Extract<OwncloudAddress, { kind: 'space' }>,
  settings: OwncloudSettings,
  options: ConnectOptions,
): Promise<Extract<OwncloudAddress, { kind: 'dav' }>> {
  const { base } = address;
  const { transport } = openSession(base, accountOf(settings), options);
  const request = { method: 'GET', headers: { accept: 'application/json' }, body: undefined, signal: options.signal };
  const ask = async (url: URL) => (await patiently(options, () => transport.send(url, request))).text();
  return { kind: 'dav', base, root: await findSpace(address, ask) };
}

/** A folder of a public link; what the link allows is said about its top only. */
async function openBelow(
  endpoint: LinkEndpoint,
  folder: string,
  access: Access,
  {
    base,
    settings,
    options,
  }: { readonly base: URL; readonly settings: OwncloudSettings; readonly options: ConnectOptions },
): Promise<Session> {
  const root = folderUrl(endpoint.root, folder);
  const session = openSession(root, linkAccountOf(endpoint, settings.password), options, true);
  if (access === 'upload-only') {
    throw new DiatomError(
      'INPUT',
      `owncloud-url names the folder “${folder}” of a public link that only takes uploads, at its top: write the link without it.`,
    );
  }
  try {
    await session.top();
  } catch (error) {
    throw statusOf(error) === 404 ? noSuchFolder(base, folder, error) : error;
  }
  return session;
}

interface Session {
  readonly root: URL;
  readonly transport: WebdavTransport;
  readonly client: Endpoint['client'];
  /** What the server says about the root folder; the sign-in is tried by that. */
  top(): Promise<RemoteFile>;
}

type Account = { readonly username: string; readonly password: string } | undefined;

function openSession(root: URL, credentials: Account, options: ConnectOptions, publicLink = false): Session {
  const { http, signal, answerTimeoutMs = 30 * 60_000 } = options;
  const transport = new WebdavTransport({ http, rootUrl: root, credentials, publicLink, answerTimeoutMs });
  const client = createWebdavClient(root, transport);
  return { root, transport, client, top: () => patiently(options, () => lookUp(client, '/', signal)) };
}

function patiently<T>(
  { policy = DEFAULT_RETRY_POLICY, signal }: ConnectOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  return withRetries(attempt, { policy, judge: judgeWebdav, signal });
}

function accountOf({ username, password }: OwncloudSettings): Account {
  return username === '' && password === '' ? undefined : { username, password };
}

function linkAccountOf({ username, alwaysSignIn }: LinkEndpoint, password: string): Account {
  return alwaysSignIn || password !== '' ? { username, password } : undefined;
}

/**
 * ownCloud and Nextcloud show an empty folder, without permissions, in place of the files of anybody but the signed-in
 * user (apps/dav/lib/Files/RootCollection.php in both).
 */
function isForeignHome(top: RemoteFile, product: Product): boolean {
  return product !== 'infinite-scale' && top.permissions === undefined;
}

interface RemoteFacts {
  readonly status: ServerStatus | undefined;
  readonly base: URL;
  readonly settings: OwncloudSettings;
  readonly link?: { readonly token: string; readonly access: Access };
  readonly ways?: Remote['ways'];
}

function remoteOf(
  { root, client }: Session,
  { status, base, settings, link, ways = async () => ({}) }: RemoteFacts,
): Remote {
  const server = `${status?.title ?? 'WebDAV server'} at ${base.host}`;
  const uploadOnly = link?.access === 'upload-only' ? 'upload-only ' : '';
  return {
    kind: link ? 'public-link' : (status?.product ?? 'webdav'),
    description: link ? `${uploadOnly}public link of ${server}` : server,
    rootUrl: root,
    client,
    product: status?.product,
    access: link?.access ?? 'full',
    ways,
    folderPage: (folder) => {
      if (link) return new URL(`s/${link.token}`, base).href;
      return status ? pageOf(status.product, base, root, settings.username, folderParts(folder)) : undefined;
    },
    fileUrl: (path) => urlBelow(root, path).href,
  };
}

/** The page of a folder in the web interface; `undefined` where its address can't be known. */
function pageOf(product: Product, base: URL, root: URL, username: string, parts: string[]): string | undefined {
  const above = /\/remote\.php\/(?:webdav|dav\/files\/[^/]+)\/(.*)$/.exec(root.pathname)?.[1];
  if (above === undefined) return undefined;
  const path = [...decodedPath(above).split('/'), ...parts].filter((part) => part !== '');
  if (product !== 'infinite-scale') {
    const page = new URL('index.php/apps/files/', base);
    page.searchParams.set('dir', `/${path.join('/')}`);
    return page.href;
  }
  // The address has the user's name, which is not what one signs in with when that is an e-mail address.
  if (username === '' || username.includes('@')) return undefined;
  return urlBelow(new URL('files/spaces/personal/', base), [username.toLowerCase(), ...path].join('/')).href;
}
