import { DiatomError, messageOf } from '../errors.ts';
import { NetworkError } from '../http/client.ts';
import { field } from '../text/json.ts';
import type { Endpoint } from './endpoint.ts';
import { lookUp } from './look-up.ts';
import type { Chunking, Tus, Ways } from './remote.ts';
import { urlBelow } from './remote-path.ts';
import type { Product } from './server-status.ts';
import { tusIn } from './tus.ts';

export interface WaysSearch {
  readonly product: Product;
  /** The server's address, ending in `/`. */
  readonly base: URL;
  /** The remote's root. */
  readonly root: URL;
  /** Asks the server, signed in, for a text. */
  ask(url: URL): Promise<string>;
  /** Sends any request to the server, signed in. */
  readonly send: Tus['send'];
  /** Opens another folder of the same server, signed in. */
  open(root: URL): Endpoint;
  /** Tries again what may pass. */
  patiently<T>(attempt: () => Promise<T>): Promise<T>;
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Of S3, which Nextcloud may hand the pieces on to as they are ("between 5MB and 5GB (except for the last chunk)"). */
const NEXTCLOUD_MIN_CHUNK = 5 * 1024 * 1024;

/**
 * Finds out whether a signed-in user's server takes files in pieces: ownCloud 10 and Nextcloud say so in their
 * capabilities (`dav.chunking`, owncloud/core and nextcloud/server apps/dav/lib/Capabilities.php), and so does Infinite
 * Scale of its other way (TUS). Public links have none.
 *
 * @returns neither when it does not, or does not tell: then files are sent whole
 * @throws DiatomError `NETWORK` when the server can't be reached, `CANCELLED`
 */
export async function findWays(search: WaysSearch): Promise<Ways> {
  const { product, base, root, ask, open, send, patiently, signal } = search;
  const ocs = async (path: string) =>
    field(field(parsed(await patiently(() => ask(new URL(`ocs/v1.php/${path}?format=json`, base)))), 'ocs'), 'data');
  try {
    const capabilities = field(await ocs('cloud/capabilities'), 'capabilities');
    if (product === 'infinite-scale') return { tus: tusIn(capabilities, send) };
    if (!(Number(field(field(capabilities, 'dav'), 'chunking')) >= 1)) return {};
    const { user = encodeURIComponent(String(field(await ocs('cloud/user'), 'id'))), below } = homeIn(root);
    const uploads = open(new URL(`remote.php/dav/uploads/${user}/`, base));
    await patiently(() => lookUp(uploads.client, '/', signal));
    // From the uploads, only addresses of the same kind are within reach: SabreDAV refuses the older /remote.php/webdav.
    const files = new URL(`remote.php/dav/files/${user}/${below}`, base);
    const limits = field(field(capabilities, 'files'), 'chunked_upload');
    const chunking: Chunking = {
      uploads,
      targetUrl: (path) => urlBelow(files, path).href,
      minChunkBytes: product === 'nextcloud' ? NEXTCLOUD_MIN_CHUNK : 1,
      maxChunkBytes: positive(field(limits, 'max_size')),
      maxParallel: positive(field(limits, 'max_parallel_count')),
    };
    return { chunking };
  } catch (error) {
    if (error instanceof NetworkError || (error instanceof DiatomError && error.code === 'CANCELLED')) throw error;
    search.onWarning?.(
      `Files are sent to ${base.host} in one piece, because it does not show whether it takes several: ${messageOf(error)}`,
    );
    return {};
  }
}

/** The user in a WebDAV address, as it is encoded there (the older kind has none), and the folder. */
function homeIn(root: URL): { readonly user: string | undefined; readonly below: string } {
  const address = /\/remote\.php\/(?:webdav|dav\/files\/(?<user>[^/]+))\/(?<below>.*)$/;
  const { user, below } = address.exec(root.pathname)?.groups ?? {};
  if (below === undefined) throw new DiatomError('OWNCLOUD', 'The address is not that of a user’s files.');
  return { user, below };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DiatomError('OWNCLOUD', 'The answer about its abilities is not JSON.', { cause: error });
  }
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}
