import type { Endpoint } from './endpoint.ts';
import type { Access } from './public-link.ts';
import type { Product } from './server-status.ts';
import type { WebdavTransport } from './webdav-client.ts';

/** A folder on a server, signed in to and known to answer WebDAV. */
export interface Remote extends Endpoint {
  readonly kind: Product | 'webdav' | 'public-link';
  /** For people, such as “ownCloud 10.15.0 at cloud.example.org”. */
  readonly description: string;
  readonly access: Access;
  /** What names of unfinished uploads hold, so that a later run knows whose they are. */
  readonly mark?: string | undefined;
  /**
   * How the server takes large files. It is asked when this is needed first, and once: a run that stores small ones need not
   * wait for it.
   *
   * @throws DiatomError `NETWORK` when the server can't be reached, `CANCELLED`
   */
  ways(): Promise<Ways>;
  /** The address a person opens in a browser for a folder, when the server has one. */
  folderPage(folder: string): string | undefined;
  /** The WebDAV address of a file below `rootUrl`. */
  fileUrl(path: string): string;
}

/** How a server takes files in pieces: in one of two ways, or not at all. */
export interface Ways {
  readonly chunking?: Chunking | undefined;
  readonly tus?: Tus | undefined;
}

/**
 * Upload of a file in pieces ("chunking NG" of ownCloud 10, "chunked upload v2" of Nextcloud): they go into a folder of
 * their own, and a MOVE of the file `.file` in it, which does not exist, puts them together at the target
 * (owncloud/core apps/dav/lib/Upload; Nextcloud developer manual, client APIs, "Chunked file upload").
 */
export interface Chunking {
  /** The user's folder of unfinished uploads. */
  readonly uploads: Endpoint;
  /** The address of a path below the remote's root, in the form that a MOVE out of `uploads` takes. */
  targetUrl(path: string): string;
  /** The smallest piece except for the last, in bytes. */
  readonly minChunkBytes: number;
  /** The largest piece that the server wants, in bytes; `undefined` when it names none. */
  readonly maxChunkBytes: number | undefined;
  /** How many pieces the server wants at a time; `undefined` when it does not say. */
  readonly maxParallel: number | undefined;
}

/**
 * Upload of a file that goes on where it broke off (TUS 1.0.0, tus.io), as Infinite Scale and OpenCloud offer it: a POST to
 * a folder gives an address that takes the file piece after piece (PATCH) and tells how much of it is there (HEAD). In the
 * folder it appears when it is whole (opencloud-eu/reva internal/http/services/owncloud/ocdav/tus.go).
 */
export interface Tus {
  /** The largest piece that the server wants, in bytes; `undefined` when it names none. */
  readonly maxPieceBytes: number | undefined;
  /** Whether the server wants POST for PATCH, which not every proxy lets through. */
  readonly overridesPatch: boolean;
  /** Sends a request to an address of the server, signed in. */
  readonly send: WebdavTransport['send'];
}
