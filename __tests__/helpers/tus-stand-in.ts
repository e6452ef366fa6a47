import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Answer, SeenRequest } from '../../scripts/stand-ins/owncloud-server.ts';

const STATUS =
  '{"maintenance":false,"versionstring":"10.11.0","productname":"OpenCloud","product":"OpenCloud","productversion":"3.5.0"}';

export const TUS_OFFER = { version: '1.0.0', resumable: '1.0.0', extension: 'creation,creation-with-upload' };

export interface TusStandIn {
  /** Where the server keeps its files. */
  readonly directory: () => string;
  /** What is uploaded: pieces are only counted. */
  readonly file: Buffer;
  /** What the capabilities say. */
  readonly offer?: unknown;
}

/**
 * A stand-in for OpenCloud's uploads, on top of the stand-in for ownCloud; tests with a real tusd are among the integration tests.
 *
 * @returns what answers a request; `undefined` for one that is not its own
 */
export function tusStandIn({ directory, file, offer = TUS_OFFER }: TusStandIn) {
  let at = 0;
  let target = '';
  const json = (value: unknown): Answer => ({ status: 200, body: JSON.stringify(value) });
  return (request: SeenRequest): (() => Promise<Answer>) | undefined => {
    const { method, path, headers } = request;
    if (path === '/status.php') return async () => ({ status: 200, body: STATUS });
    if (path.endsWith('/cloud/capabilities')) {
      return async () => json({ ocs: { data: { capabilities: { files: { tus_support: offer } } } } });
    }
    if (method === 'POST') {
      return async () => {
        at = 0;
        const name = /filename (\S+?)(?:,|$)/.exec(String(headers['upload-metadata']))?.[1] ?? '';
        target = join(basename(path), Buffer.from(name, 'base64').toString());
        return { status: 201, headers: { location: '/data/k3y?p=1' } };
      };
    }
    if (!path.startsWith('/data/')) return undefined;
    return async () => {
      if (method === 'DELETE') return { status: 204 };
      if (method === 'PATCH') {
        if (Number(headers['upload-offset']) !== at) return { status: 409 };
        at += Number(headers['content-length']);
        if (at === file.length) await writeFile(join(directory(), target), file);
      }
      return { status: method === 'HEAD' ? 200 : 204, headers: { 'upload-offset': String(at) } };
    };
  };
}
