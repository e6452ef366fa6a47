import type { WebDAVClient } from 'webdav';
import type { Product } from './server-status.ts';

/** A WebDAV folder on a server, with what is needed to work in it. */
export interface Endpoint {
  /** The WebDAV folder that all folders and paths are relative to. Ends in `/`. */
  readonly rootUrl: URL;
  /**
   * Speaks WebDAV below `rootUrl`: without redirects, with time-outs, credentials for `rootUrl`'s origin only. It throws
   * a WebdavError for every answer that is not success.
   */
  readonly client: WebDAVClient;
  /** The server's product; `undefined` when it is not of ownCloud's family. */
  readonly product: Product | undefined;
}
