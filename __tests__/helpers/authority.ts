import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireCommand, run } from './commands.ts';

/** Somebody whose certificate no program knows by itself, such as an institution. */
export interface Authority {
  /** As PEM. */
  readonly certificate: string;
  /** Signs a server’s certificate, for IP addresses and names. */
  sign(...addresses: readonly string[]): Promise<{ readonly certificate: string; readonly key: string }>;
  close(): Promise<void>;
}

/** Makes an authority with openssl. What it signs is valid for a day. */
export async function makeAuthority(): Promise<Authority> {
  requireCommand('openssl', 'on Debian “apt-get install openssl”', ['version']);
  const folder = await mkdtemp(join(tmpdir(), 'authority-'));
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];
  const openssl = (...args: readonly string[]) => run('openssl', args, { cwd: folder });
  await openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '1', '-subj', '/CN=Test CA');
  return {
    certificate: await readFile(join(folder, 'ca.crt'), 'utf8'),
    sign: async (...addresses) => {
      const names = addresses.map((address) => `${/^[\d.]+$/.test(address) ? 'IP' : 'DNS'}:${address}`);
      await writeFile(join(folder, 'names'), `subjectAltName = ${names.join(', ')}\n`);
      await openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=Test server');
      const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
      await openssl(
        'x509',
        '-req',
        '-in',
        'server.csr',
        ...by,
        '-days',
        '1',
        '-extfile',
        'names',
        '-out',
        'server.crt',
      );
      return { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
