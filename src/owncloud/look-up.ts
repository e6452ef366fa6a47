import type { FileStat, ResponseDataDetailed, WebDAVClient } from 'webdav';
import { DiatomError } from '../errors.ts';
import { sumIn } from './checksums.ts';
import { statusOf } from './webdav-error.ts';

/** What a server says about one file or folder. */
export interface RemoteFile {
  readonly type: 'file' | 'directory';
  /** Bytes; `undefined` when the server does not say. */
  readonly size: number | undefined;
  /** Hexadecimal, lower case; `undefined` when the server has none. */
  readonly uploadSum: string | undefined;
  /** ownCloud's letters (`oc:permissions`): C and K create, D delete, N and V rename and move … */
  readonly permissions: string | undefined;
  /** When its content was last written, by the server's clock. */
  readonly modified: Date | undefined;
  /** What a public link allows, as a sum: 1 read, 2 change, 4 create, 8 delete. Only on the link's top folder. */
  readonly linkPermissions: number | undefined;
  /** How many bytes a folder may still take (RFC 4331); `undefined` when the server does not say, or sets no limit. */
  readonly freeBytes: number | undefined;
}

/** `resourcetype` comes first: it exists everywhere, and the library reads the first group of properties only. */
export const PROPERTIES = `<?xml version="1.0" encoding="utf-8"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><d:resourcetype/><d:getcontentlength/><d:getlastmodified/><oc:checksums/><oc:permissions/><oc:public-link-permission/><d:quota-available-bytes/></d:prop></d:propfind>`;

/**
 * Asks for one file or folder (PROPFIND, Depth 0).
 *
 * @param path from the remote's root, beginning with `/`; a folder's should end with it
 * @throws WebdavError with status 404 when it does not exist
 */
export async function lookUp(client: WebDAVClient, path: string, signal?: AbortSignal): Promise<RemoteFile> {
  let answer: FileStat | ResponseDataDetailed<FileStat>;
  try {
    answer = await client.stat(path, {
      details: true,
      data: PROPERTIES,
      headers: { 'content-type': 'application/xml; charset=utf-8' },
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (error instanceof DiatomError || statusOf(error) !== undefined) throw error;
    throw new DiatomError(
      'OWNCLOUD',
      'The server’s answer about a file is not WebDAV: check owncloud-url, and whether a proxy or a sign-in page answers in its place.',
      { cause: error },
    );
  }
  return remoteFileOf('data' in answer ? answer.data : answer);
}

/** What `PROPERTIES` asked for, from the library's form of an answer. */
export function remoteFileOf({ type, props }: FileStat): RemoteFile {
  return {
    type,
    size: numberIn(props?.getcontentlength),
    uploadSum: sumIn(props?.['checksums']),
    permissions: textIn(props?.['permissions']),
    modified: dateIn(props?.getlastmodified),
    linkPermissions: numberIn(props?.['public-link-permission']),
    freeBytes: numberIn(props?.['quota-available-bytes']),
  };
}

/** Like `lookUp`, but `undefined` for what does not exist. */
export async function lookUpIfThere(
  client: WebDAVClient,
  path: string,
  signal?: AbortSignal,
): Promise<RemoteFile | undefined> {
  try {
    return await lookUp(client, path, signal);
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** The text of a property, also of one that has attributes (lighttpd and IIS name its type so), of which the library makes an object. */
function textIn(value: unknown): string | undefined {
  const text = typeof value === 'object' && value !== null ? Reflect.get(value, 'text') : value;
  return typeof text === 'string' || typeof text === 'number' ? String(text) : undefined;
}

function numberIn(value: unknown): number | undefined {
  const text = textIn(value)?.trim() ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** An HTTP date (RFC 4918, 15.7). */
function dateIn(value: unknown): Date | undefined {
  const date = new Date(textIn(value) ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
