import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import type { OwncloudAddress } from './address.ts';
import { folderUrl } from './remote-path.ts';
import { WebdavError } from './webdav-error.ts';

/** What Graph says about the spaces of an account (`GET /graph/v1.0/me/drives`; owncloud.dev, libre-graph-api). */
const drivesSchema = z.object({
  value: z.array(
    z.object({ driveAlias: z.optional(z.string()), root: z.optional(z.object({ webDavUrl: z.optional(z.string()) })) }),
  ),
});

/**
 * The WebDAV address of a project space of Infinite Scale or OpenCloud, and of the folder in it. Its page knows it by a
 * name, and its files lie under a number.
 *
 * @param ask asks the server, signed in, for a text
 * @throws DiatomError `OWNCLOUD` with the address to write when the server does not tell it
 */
export async function findSpace(
  { base, alias, folder }: Extract<OwncloudAddress, { kind: 'space' }>,
  ask: (url: URL) => Promise<string>,
): Promise<URL> {
  let cause: unknown;
  try {
    const { value } = drivesSchema.parse(JSON.parse(await ask(new URL('graph/v1.0/me/drives', base))));
    const address = value.find(({ driveAlias }) => driveAlias === alias)?.root?.webDavUrl ?? '';
    const root = URL.parse(address.replace(/\/*$/, '/'));
    if (root?.origin === base.origin) return folderUrl(root, folder);
  } catch (error) {
    const isAnswer = error instanceof z.core.$ZodError || error instanceof SyntaxError || error instanceof WebdavError;
    if (!isAnswer || (error instanceof WebdavError && error.status === 401)) throw error;
    cause = error;
  }
  throw new DiatomError(
    'OWNCLOUD',
    `owncloud-url is the page of the space “${alias}”, and ${base.host} ${cause ? 'does not say where its files are' : 'has no such space for this account'}. Write the WebDAV address of the space, which its details show in the browser, such as ${base.href}dav/spaces/….`,
    { cause },
  );
}

export function noSuchFolder({ host }: URL, folder: string, cause: unknown): DiatomError {
  return new DiatomError(
    'OWNCLOUD',
    `owncloud-url names the folder “${folder}”, which does not exist at ${host} for this account: create it there, or copy the address of another one.`,
    { cause },
  );
}
