import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { otherServer } from './owncloud.ts';

const FILES = '/remote.php/dav/files/u/';
const UPLOADS = '/remote.php/dav/uploads/u/';
const MIN = 5 * 1024 * 1024;

interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export interface NextcloudRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * A Nextcloud as far as uploads in pieces go, with the rules of its version 2 for storage in S3: a Destination with every
 * request, names from 1 to 10000, nothing but the last piece below 5 MiB, and pieces listed by their number alone
 * (Nextcloud developer manual, "Chunked file upload"; nextcloud/server apps/dav/lib/Upload). Keeps everything in memory.
 */
export async function nextcloudServer(
  limits: { max_size: number; max_parallel_count: number },
  change: (request: NextcloudRequest, reply: Reply) => Reply | Promise<Reply> = (_, reply) => reply,
) {
  const files = new Map<string, Buffer>();
  const uploads = new Map<string, Map<number, Buffer>>();
  const seen: NextcloudRequest[] = [];

  const { url } = await otherServer((request, response) => {
    answer(request).then(
      ({ status, headers = {}, body = '' }) => response.writeHead(status, headers).end(body),
      () => request.socket.destroy(),
    );
  });

  async function answer(request: IncomingMessage): Promise<Reply> {
    const { method = '', headers } = request;
    const path = decodeURIComponent(request.url ?? '').replace(/\?.*$/, '');
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const asked = { method, path, headers };
    seen.push(asked);
    return change(asked, reply(asked, Buffer.concat(parts)));
  }

  function reply({ method, path, headers }: NextcloudRequest, data: Buffer): Reply {
    if (path === '/status.php') {
      const body = '{"maintenance":false,"versionstring":"31.0.2","productname":"Nextcloud","extendedSupport":false}';
      return { status: 200, body };
    }
    if (path === '/ocs/v1.php/cloud/capabilities') {
      const capabilities = { dav: { chunking: '1.0' }, files: { chunked_upload: limits } };
      return headers['ocs-apirequest']
        ? { status: 200, body: JSON.stringify({ ocs: { data: { capabilities } } }) }
        : { status: 412 };
    }
    if (path === UPLOADS || path === FILES) return listing([[path, undefined]]);
    if (path.startsWith(UPLOADS)) return upload({ method, path, headers }, data);
    const name = path.slice(FILES.length);
    const file = files.get(name);
    if (method === 'PROPFIND') return file ? listing([[path, file.length]]) : { status: 404 };
    if (method !== 'PUT' && method !== 'MOVE') return { status: method === 'DELETE' ? 204 : 405 };
    return { status: 403 };
  }

  function upload({ method, path, headers }: NextcloudRequest, data: Buffer): Reply {
    const [id = '', name = ''] = path.slice(UPLOADS.length).split('/');
    const chunks = uploads.get(id);
    if (method === 'PROPFIND') {
      if (!chunks) return { status: 404 };
      const members = [...chunks].map(([number, { length }]) => [`${UPLOADS}${id}/${number}`, length] as const);
      return listing([[`${UPLOADS}${id}/`, undefined], [`${UPLOADS}${id}/.file`, 0], ...members]);
    }
    const destination = String(headers['destination']);
    if (!destination.startsWith(`${url}${FILES}`)) return { status: 400, body: 'no destination' };
    switch (method) {
      case 'MKCOL':
        uploads.set(id, new Map());
        return { status: 201 };
      case 'DELETE':
        return { status: uploads.delete(id) ? 204 : 404 };
      case 'PUT': {
        const number = Number(name);
        if (!chunks || !(number >= 1 && number <= 10_000)) return { status: 400 };
        chunks.set(number, data);
        const sum = createHash('sha1').update(data).digest('hex');
        return { status: 201, headers: headers['x-hash'] === 'sha1' ? { 'x-hash-sha1': sum } : {} };
      }
      case 'MOVE': {
        const target = decodeURIComponent(new URL(destination).pathname).slice(FILES.length);
        if (!chunks || name !== '.file') return { status: 404 };
        if (files.has(target) && headers['overwrite'] === 'F') return { status: 412 };
        const sorted = [...chunks].sort(([a], [b]) => a - b).map(([, chunk]) => chunk);
        if (sorted.slice(0, -1).some(({ length }) => length < MIN)) return { status: 500, body: 'EntityTooSmall' };
        const whole = Buffer.concat(sorted);
        if (headers['oc-total-length'] !== String(whole.length)) return { status: 400 };
        files.set(target, whole);
        uploads.delete(id);
        return { status: 201 };
      }
      default:
        return { status: 405 };
    }
  }

  return { url, files, uploads, seen };
}

function listing(members: readonly (readonly [path: string, bytes: number | undefined])[]): Reply {
  const responses = members.map(([path, bytes]) => {
    const type = bytes === undefined ? '<d:resourcetype><d:collection/></d:resourcetype>' : '<d:resourcetype/>';
    const size = bytes === undefined ? '' : `<d:getcontentlength>${bytes}</d:getcontentlength>`;
    return `<d:response><d:href>${path}</d:href><d:propstat><d:prop>${type}${size}<oc:permissions>RGDNVCK</oc:permissions></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`;
  });
  const body = `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">${responses.join('')}</d:multistatus>`;
  return { status: 207, headers: { 'content-type': 'application/xml' }, body };
}
