import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { cp, lstat, mkdir, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseRange } from './file-server.ts';

/** What the server answers. A body that is a stream is sent as it comes. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Readable;
}

/** What a hook gets to see of a request. `path` is percent-decoded and without the query. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Faults on purpose. Called for every request; `proceed` lets the server do what it would have done. An answer that is
 * returned is sent instead, `hang up` closes the connection without one, and nothing means that the server proceeds.
 */
export type Hook = (
  request: SeenRequest,
  proceed: () => Promise<Answer>,
) => Answer | 'hang up' | undefined | Promise<Answer | 'hang up' | undefined>;

/** A link to the whole directory. `permissions` is ownCloud's sum: 1 read, 2 change, 4 create, 8 delete. */
export interface PublicLink {
  readonly token: string;
  readonly password?: string;
  readonly permissions: number;
}

export interface OwncloudServerOptions {
  /** Where the files are kept. Nothing outside of it is read or written. */
  readonly directory: string;
  readonly username: string;
  readonly password: string;
  /** Default: this machine only. */
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** A sub-path such as `/owncloud`. Default: none. */
  readonly basePath?: string;
  readonly publicLinks?: readonly PublicLink[];
  /** Whether files are taken in pieces. Default: yes. */
  readonly chunking?: boolean;
  /** How much it says to have left for its user; it takes more anyway. Default: it does not say. */
  readonly availableBytes?: number;
  readonly hook?: Hook;
}

export interface OwncloudServer {
  /** What goes into `owncloud-url`. */
  readonly url: string;
  readonly directory: string;
  close(): Promise<void>;
}

/**
 * A stand-in for an ownCloud 10 server, for demonstrations and tests on one machine. It keeps plain files in a directory
 * and answers what uploads need: `status.php`, capabilities, WebDAV (PROPFIND of depth 0 and 1, MKCOL, PUT, GET, HEAD,
 * DELETE, MOVE, COPY) with ownCloud's checks of Content-Length and OC-Checksum, uploads in pieces, public links, and a
 * plain page of a folder's files.
 *
 * It is no ownCloud: one user, no TLS, no locks, quotas, versions, trash bin or PROPPATCH, and it has not been made safe for
 * use by others than its owner.
 */
export async function startOwncloudServer(options: OwncloudServerOptions): Promise<OwncloudServer> {
  const { host = '127.0.0.1', port = 0, basePath = '', hook } = options;
  const directory = await realpath(options.directory);
  const handle = requestHandler({ ...options, directory, basePath });
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that breaks off is seen where its request is read.
    request.on('error', () => {});
    const proceed = () => handle(request);
    const seen = { method: request.method ?? '', path: pathOf(request), headers: request.headers };
    const given = (await hook?.(seen, proceed)) ?? (await proceed());
    if (given === 'hang up') {
      request.socket.destroy();
      return;
    }
    const { status, headers = {}, body = '' } = given;
    response.writeHead(
      status,
      typeof body === 'string' ? { 'content-length': Buffer.byteLength(body), ...headers } : headers,
    );
    if (typeof body === 'string') response.end(request.method === 'HEAD' ? undefined : body);
    else await pipeline(body, response);
  }

  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const address = server.address();
  const actualPort = typeof address === 'object' && address ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actualPort}${basePath}`,
    directory,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A refusal with SabreDAV's XML, which ownCloud answers with. */
class Refusal extends Error {
  readonly answer: Answer;

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.answer = {
      status,
      headers: { 'content-type': 'application/xml; charset=utf-8', ...headers },
      body: `<?xml version="1.0" encoding="utf-8"?>\n<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:message>${escaped(message)}</s:message></d:error>\n`,
    };
  }
}

interface Place {
  /** The path of the WebDAV root in addresses, ending in `/`. */
  readonly prefix: string;
  readonly link?: PublicLink;
  /** Whether it is the folder of unfinished uploads. */
  readonly uploads?: boolean;
}

type Context = OwncloudServerOptions & { readonly basePath: string };

/** ownCloud refuses names like these, and so its unfinished uploads can have them (owncloud/core FileInfo.php). */
const UNFINISHED = /\.(?:part|filepart)$/;

/** The name that stands for a file that is still in pieces (owncloud/core apps/dav/lib/Upload/FutureFile.php). */
const FUTURE_FILE = '.file';

function requestHandler(context: Context) {
  const { directory, basePath, username, publicLinks = [], chunking = true, availableBytes } = context;
  // In the same directory, so that on the same disk; its name says that it is not one of the user's files.
  const uploadsDirectory = join(directory, '.uploads.part');
  const sums = new Map<string, { readonly key: string; readonly sha1: string }>();

  /** SHA-1 of a file, made when asked for and kept as long as the file has not changed. */
  async function sha1Of(file: string): Promise<string> {
    const key = await keyOf(file);
    const known = sums.get(file);
    if (known?.key === key) return known.sha1;
    const hash = createHash('sha1');
    for await (const chunk of createReadStream(file)) hash.update(chunk);
    const sha1 = hash.digest('hex');
    sums.set(file, { key, sha1 });
    return sha1;
  }

  async function keyOf(file: string): Promise<string> {
    const { size, mtimeMs, ino } = await stat(file);
    return `${ino} ${size} ${mtimeMs}`;
  }

  function placeOf(path: string): Place | undefined {
    const uploads = `${basePath}/remote.php/dav/uploads/${username}`;
    if (chunking && isBelow(path, uploads)) return { prefix: `${uploads}/`, uploads: true };
    const link = publicLinks.find(({ token }) => isBelow(path, `${basePath}/remote.php/dav/public-files/${token}`));
    if (link) return { prefix: `${basePath}/remote.php/dav/public-files/${link.token}/`, link };
    const prefix = [`${basePath}/remote.php/dav/files/${username}`, `${basePath}/remote.php/webdav`].find((start) =>
      isBelow(path, start),
    );
    return prefix === undefined ? undefined : { prefix: `${prefix}/` };
  }

  /** The local path of what an address stands for; never one outside the directory, not even by a symbolic link. */
  async function localPath(path: string, { prefix, uploads }: Place): Promise<string> {
    const parts = path
      .slice(prefix.length)
      .split('/')
      .filter((part) => part !== '');
    if (parts.some((part) => part === '.' || part === '..' || /[\\\p{Cc}]/u.test(part))) {
      throw new Refusal(400, 'File name contains at least one invalid character');
    }
    if (parts.some((part) => UNFINISHED.test(part))) throw new Refusal(403, 'This file name is reserved');
    const local = join(uploads ? uploadsDirectory : directory, ...parts);
    let existing = local;
    while (!(await exists(existing))) existing = dirname(existing);
    const real = await realpath(existing);
    if (real !== directory && !real.startsWith(directory + sep)) throw new Refusal(403, 'Outside of the directory');
    return local;
  }

  return async function handle(request: IncomingMessage): Promise<Answer> {
    try {
      const path = pathOf(request);
      const { method = '' } = request;
      if (path === `${basePath}/status.php`) return json(STATUS);
      const place = placeOf(path);
      authenticate(request, context, place?.link);
      if (path === `${basePath}/ocs/v1.php/cloud/capabilities`) return json(capabilities(chunking));
      if (path === `${basePath}/ocs/v1.php/cloud/user`) return json(ocs({ id: username, 'display-name': username }));
      if (path === `${basePath}/index.php/apps/files/`) return await folderPage(request);
      if (!place) throw new Refusal(404, 'Not found');
      allow(place.link, method);
      const trimmed = path.replace(/\/+$/, '');
      const local = await localPath(trimmed, place);
      return await (place.uploads ? unfinished : webdav)(request, { method, path: trimmed, place, local });
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  };

  interface Task {
    readonly method: string;
    readonly path: string;
    readonly place: Place;
    readonly local: string;
  }

  /**
   * The user's unfinished uploads, each a folder of pieces. As in ownCloud 10, neither length nor checksum of a new piece
   * is compared with anything (owncloud/core apps/dav/lib/Connector/Sabre/Directory.php, createFileDirectly): what has
   * arrived when a connection breaks stays.
   */
  async function unfinished(request: IncomingMessage, task: Task): Promise<Answer> {
    const { method, local } = task;
    const depth = relative(uploadsDirectory, local).split(sep).filter(Boolean).length;
    const isFutureFile = depth === 2 && basename(local) === FUTURE_FILE;
    if (depth === 0 && method === 'PROPFIND' && !(await exists(local))) {
      // Made with the first upload only; until then it is described by the folder that it would be in.
      return multistatus([await describe(directory, `${task.path}/`, task.place, false)]);
    }
    if (depth === 1 && method === 'MKCOL') await mkdir(uploadsDirectory, { recursive: true });
    if (isFutureFile && method === 'MOVE') return putTogether(request, dirname(local));
    if (depth === 2 && !isFutureFile && method === 'PUT') {
      await needParent(local);
      await pipeline(request, createWriteStream(local)).catch(() => {
        throw new Refusal(400, 'The upload broke off');
      });
      return { status: 201 };
    }
    const isForFolders = method === 'MKCOL' || method === 'DELETE';
    if (method === 'PROPFIND' || (depth === 1 && isForFolders)) return webdav(request, task);
    throw new Refusal(403, 'Permission denied');
  }

  /** Appends the pieces to the first one in their natural order, and gives the whole its name. */
  async function putTogether(request: IncomingMessage, folder: string): Promise<Answer> {
    await need(folder);
    const { target, replaced } = await destinationOf(request, {
      prefix: `${basePath}/remote.php/dav/files/${username}/`,
    });
    const names = (await readdir(folder)).sort(new Intl.Collator('en', { numeric: true }).compare);
    const pieces = names.map((name) => join(folder, name));
    const sizes = await Promise.all(pieces.map(async (piece) => (await stat(piece)).size));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const expected = request.headers['oc-total-length'];
    if (expected !== undefined && Number(expected) !== total) {
      throw new Refusal(400, `Chunks on server do not sum up to ${expected} but to ${total}`);
    }
    const whole = join(dirname(target), `.${randomUUID()}.part`);
    const hash = createHash('sha1');
    const output = createWriteStream(whole, { flags: 'wx', highWaterMark: 1 << 20 });
    try {
      await pipeline(async function* () {
        for (const piece of pieces) {
          for await (const data of createReadStream(piece, { highWaterMark: 1 << 20 })) {
            hash.update(data);
            yield data;
          }
        }
      }, output);
      const sha1 = hash.digest('hex');
      compareSums(request, sha1);
      await rename(whole, target);
      sums.set(target, { key: await keyOf(target), sha1 });
    } finally {
      await rm(whole, { force: true });
    }
    await rm(folder, { recursive: true });
    return { status: replaced ? 204 : 201 };
  }

  async function webdav(request: IncomingMessage, { method, path, place, local }: Task): Promise<Answer> {
    switch (method) {
      case 'PROPFIND':
        return propfind(request, { path, place, local });
      case 'GET':
      case 'HEAD':
        return get(request, local);
      case 'MKCOL':
        if (await exists(local)) throw new Refusal(405, 'The resource you tried to create already exists');
        await needParent(local);
        await mkdir(local);
        return { status: 201 };
      case 'PUT':
        return put(request, place, local);
      case 'DELETE':
        await need(local);
        if (local === directory) throw new Refusal(403, 'The top folder can’t be deleted');
        await rm(local, { recursive: true });
        return { status: 204 };
      case 'MOVE':
      case 'COPY':
        return transfer(request, { method, place, local });
      default:
        throw new Refusal(405, `${method} is not supported`);
    }
  }

  async function propfind(
    request: IncomingMessage,
    { path, place, local }: { path: string; place: Place; local: string },
  ) {
    const body = await textOf(request);
    await need(local);
    const depth = request.headers['depth'] === '0' ? 0 : 1;
    const withSums = body.includes('checksums') && !place.uploads;
    const isFolder = (await stat(local)).isDirectory();
    const self = isFolder ? `${path}/` : path;
    const members = [await describe(local, self, place, withSums)];
    if (depth === 1 && isFolder && (place.link?.permissions ?? 1) & 1) {
      for (const name of await visibleNames(local)) {
        const member = join(local, name);
        const slash = (await stat(member)).isDirectory() ? '/' : '';
        members.push(await describe(member, `${self}${name}${slash}`, place, withSums));
      }
    }
    if (depth === 1 && place.uploads && local !== uploadsDirectory)
      members.push(await describe(local, `${self}${FUTURE_FILE}`, place, false));
    return multistatus(members);
  }

  async function describe(local: string, path: string, place: Place, withSums: boolean): Promise<string> {
    const { size, mtime, mtimeMs, ino } = await stat(local);
    const isFolder = path.endsWith('/');
    const isLinkTop = place.link && path === place.prefix;
    const properties = [
      `<d:resourcetype>${isFolder ? '<d:collection/>' : ''}</d:resourcetype>`,
      `<d:getlastmodified>${mtime.toUTCString()}</d:getlastmodified>`,
      `<d:getetag>&quot;${ino.toString(16)}${Math.round(mtimeMs).toString(16)}&quot;</d:getetag>`,
      `<oc:permissions>${isFolder ? 'RDNVCK' : 'RDNVW'}</oc:permissions>`,
      isFolder ? '' : `<d:getcontentlength>${size}</d:getcontentlength>`,
      !isFolder && withSums
        ? `<oc:checksums><oc:checksum>SHA1:${await sha1Of(local)}</oc:checksum></oc:checksums>`
        : '',
      isFolder && availableBytes !== undefined
        ? `<d:quota-available-bytes>${availableBytes}</d:quota-available-bytes>`
        : '',
      isLinkTop ? `<oc:public-link-permission>${place.link.permissions}</oc:public-link-permission>` : '',
    ];
    return `<d:response><d:href>${escaped(encoded(path))}</d:href><d:propstat><d:prop>${properties.join('')}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`;
  }

  /** Streams to an unfinished file and gives it its name when length and checksum are right. */
  async function put(request: IncomingMessage, place: Place, wanted: string): Promise<Answer> {
    const length = request.headers['content-length'];
    if (length === undefined) throw new Refusal(400, 'Content-Length is missing');
    await needParent(wanted);
    const isDrop = place.link?.permissions === 4;
    const local = isDrop ? await freeName(wanted) : wanted;
    const replaced = await exists(local);
    if (replaced && (await stat(local)).isDirectory()) throw new Refusal(409, 'PUT is not allowed on non-files.');
    if (replaced && place.link && (place.link.permissions & 2) === 0) throw new Refusal(403, 'May not be overwritten');
    const unfinished = join(dirname(local), `.${randomUUID()}.part`);
    try {
      const { size, sha1 } = await receive(request, unfinished);
      if (size !== Number(length)) throw new Refusal(400, `expected filesize ${length} got ${size}`);
      compareSums(request, sha1);
      await rename(unfinished, local);
      sums.set(local, { key: await keyOf(local), sha1 });
    } finally {
      await rm(unfinished, { force: true });
    }
    return { status: replaced ? 204 : 201 };
  }

  async function transfer(
    request: IncomingMessage,
    { method, place, local }: { method: string; place: Place; local: string },
  ): Promise<Answer> {
    await need(local);
    const { target, replaced } = await destinationOf(request, place);
    if (isBelow(target, local, sep)) throw new Refusal(403, 'Source and destination are the same');
    if (replaced) await rm(target, { recursive: true });
    if (method === 'MOVE') {
      await rename(local, target);
      const known = sums.get(local);
      if (known) sums.set(target, known);
    } else await cp(local, target, { recursive: true });
    return { status: replaced ? 204 : 201 };
  }

  /** The local path of the header Destination, which has to be in `place`, and whether something is there. */
  async function destinationOf(request: IncomingMessage, place: Place) {
    const destination = URL.parse(String(request.headers['destination'] ?? ''));
    if (!destination) throw new Refusal(400, 'The destination header was not supplied');
    const path = decoded(destination.pathname).replace(/\/+$/, '');
    if (destination.host !== request.headers.host || !isBelow(path, place.prefix.slice(0, -1))) {
      throw new Refusal(502, 'The destination is on another server');
    }
    const target = await localPath(path, place);
    await needParent(target);
    const replaced = await exists(target);
    if (replaced && request.headers['overwrite'] === 'F') {
      throw new Refusal(412, 'The destination node already exists, and the overwrite header is set to false');
    }
    return { target, replaced };
  }

  async function get({ method, headers: asked }: IncomingMessage, local: string): Promise<Answer> {
    await need(local);
    const { size, mtime } = await stat(local);
    if ((await stat(local)).isDirectory()) {
      const text = 'This is the WebDAV interface. It can only be accessed by WebDAV clients.';
      return { status: 200, headers: { 'content-type': 'text/plain' }, body: text };
    }
    const range = method === 'GET' ? parseRange(asked.range, size) : undefined;
    if (range === 'unsatisfiable') throw new Refusal(416, 'Requested range not satisfiable');
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': String(end - start + 1),
      'last-modified': mtime.toUTCString(),
      ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
    };
    const body = method === 'HEAD' || size === 0 ? '' : createReadStream(local, { start, end });
    return { status: range ? 206 : 200, headers, body };
  }

  async function folderPage(request: IncomingMessage): Promise<Answer> {
    const dir = new URL(request.url ?? '', 'http://x').searchParams.get('dir') ?? '/';
    const prefix = `${basePath}/remote.php/webdav/`;
    const path = `${prefix}${dir.replace(/^\/+/, '')}`.replace(/\/*$/, '');
    const local = await localPath(path, { prefix });
    await need(local);
    const rows = (await visibleNames(local)).map(
      (name) => `<li><a href="${escaped(encoded(`${path}/${name}`))}">${escaped(name)}</a></li>`,
    );
    const body = `<!doctype html><meta charset="utf-8"><title>${escaped(dir)}</title><h1>${escaped(dir)}</h1><ul>${rows.join('')}</ul>\n`;
    return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
  }
}

const STATUS = {
  installed: true,
  maintenance: false,
  needsDbUpgrade: false,
  version: '10.15.0.2',
  versionstring: '10.15.0',
  edition: 'stand-in',
  productname: 'ownCloud',
  product: 'ownCloud',
};

function capabilities(chunking: boolean) {
  return ocs({
    version: { major: 10, minor: 15, micro: 0, string: '10.15.0', edition: 'stand-in' },
    capabilities: {
      core: { 'webdav-root': 'remote.php/webdav' },
      checksums: { supportedTypes: ['SHA1'], preferredUploadType: 'SHA1' },
      dav: chunking ? { chunking: '1.0' } : {},
      files: { bigfilechunking: chunking, blacklisted_files: [] },
    },
  });
}

/** The frame of every answer of ownCloud's own interface ("OCS"). */
function ocs(data: unknown) {
  return { ocs: { meta: { status: 'ok', statuscode: 100, message: 'OK' }, data } };
}

/** ownCloud's check of a whole file, whether sent at once or in pieces. */
function compareSums(request: IncomingMessage, sha1: string): void {
  const expected = /^SHA1:([0-9a-f]{40})$/i.exec(String(request.headers['oc-checksum'] ?? ''))?.[1];
  if (!expected || expected.toLowerCase() === sha1) return;
  throw new Refusal(400, 'The computed checksum does not match the one received from the client.');
}

function authenticate(request: IncomingMessage, { username, password }: Context, link: PublicLink | undefined): void {
  if (link && link.password === undefined) return;
  const given = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const expected = link ? `public:${link.password}` : `${username}:${password}`;
  if (sameText(Buffer.from(given, 'base64').toString('utf8'), expected)) return;
  throw new Refusal(401, 'Username or password was incorrect', {
    'www-authenticate': 'Basic realm="ownCloud", charset="UTF-8"',
  });
}

const NEEDED: Readonly<Record<string, number>> = { PUT: 4, MKCOL: 4, MOVE: 2, COPY: 4, DELETE: 8, GET: 1, HEAD: 1 };

function allow(link: PublicLink | undefined, method: string): void {
  const needed = NEEDED[method] ?? 0;
  if (link && (link.permissions & needed) !== needed) throw new Refusal(403, 'The public link does not allow that');
}

async function receive(request: IncomingMessage, file: string): Promise<{ size: number; sha1: string }> {
  const hash = createHash('sha1');
  let size = 0;
  try {
    await pipeline(
      request,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          size += chunk.length;
          yield chunk;
        }
      },
      createWriteStream(file, { flags: 'wx' }),
    );
  } catch (error) {
    if (request.destroyed && !request.complete) throw new Refusal(400, 'The upload broke off');
    throw error;
  }
  return { size, sha1: hash.digest('hex') };
}

function pathOf(request: IncomingMessage): string {
  const target = request.url ?? '/';
  return decoded(new URL(target.startsWith('/') ? `http://localhost${target}` : target).pathname);
}

/** Percent-decoded; an encoded slash becomes a backslash, which no name may have, so that it is never a separator. */
function decoded(pathname: string): string {
  try {
    return decodeURIComponent(pathname.replaceAll(/%2f/gi, '%5C'));
  } catch {
    return '\0';
  }
}

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function isBelow(path: string, start: string, separator = '/'): boolean {
  return path === start || path.startsWith(start + separator);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function json(value: unknown): Answer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

function multistatus(responses: readonly string[]): Answer {
  return {
    status: 207,
    headers: { 'content-type': 'application/xml; charset=utf-8' },
    body: `<?xml version="1.0" encoding="utf-8"?>\n<d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">${responses.join('')}</d:multistatus>\n`,
  };
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function need(local: string): Promise<void> {
  if (!(await exists(local))) throw new Refusal(404, 'File not found');
}

async function needParent(local: string): Promise<void> {
  const parent = dirname(local);
  if (!(await exists(parent)) || !(await stat(parent)).isDirectory())
    throw new Refusal(409, 'Parent node does not exist');
}

async function visibleNames(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !UNFINISHED.test(name)).sort();
}

/** The name, or the name with a number, as ownCloud's file drop does (owncloud/core PublicFilesPlugin.php). */
async function freeName(wanted: string): Promise<string> {
  const [, stem = wanted, extension = ''] = /^(.*?)(\.[^./\\]*)?$/s.exec(wanted) ?? [];
  let name = wanted;
  for (let number = 2; await exists(name); number++) name = `${stem} (${number})${extension}`;
  return name;
}
