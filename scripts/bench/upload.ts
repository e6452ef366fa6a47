import { execFileSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { alternate, type Bench, type Measured, type Variant } from './bench.ts';
import { bash } from './pipelines.ts';
import { startUploads } from './servers.ts';

/**
 * Files as large as archives, and three servers: one as quick as a real Nextcloud was that `curl` sent to, one that a virus
 * scanner holds up for each file or piece of whatever size, and one that it holds up for putting them together as well.
 */
export const UPLOADS = {
  quick: { bytes: [1e9, 3e7], bytesPerSecond: 232e6, storingMs: 100, assemblyMs: 100 },
  slow: { bytes: [1.5e8, 3e7], bytesPerSecond: 232e6, storingMs: 4_000, assemblyMs: 100 },
  slowest: { bytes: [1.5e8, 3e7], bytesPerSecond: 232e6, storingMs: 4_000, assemblyMs: 4_000 },
} as const;

/** One file, by the actions and by `curl`. */
export async function measureUpload(bench: Bench): Promise<Measured> {
  const closers: (() => Promise<void>)[] = [];
  try {
    const variants: Record<string, Variant> = {};
    for (const [name, { bytes, ...limits }] of Object.entries(UPLOADS)) {
      const server = await startUploads(join(bench.folder, name), true, limits);
      closers.push(server.close);
      const site = { ...server.site, zipsUrl: '' };
      const file = join(await mkdtemp(join(bench.folder, 'file-')), 'archive');
      const size = bytes[bench.quick ? 1 : 0];
      execFileSync('bash', ['-c', 'head --bytes="$0" /dev/urandom >"$1"', String(size), file]);
      const [sha1 = ''] = execFileSync('sha1sum', [file], { encoding: 'utf8' }).split(' ');
      const upload = (script: string): Variant => ({
        rounds: 5,
        site,
        run: (workspace) =>
          bash(site, workspace, script, {
            ...{ FILE: file, SIZE: String(size), SHA1: sha1, URL: site.owncloudUrl },
            ...{ NODE: process.execPath, SCRIPT: join(import.meta.dirname, 'upload-file.ts') },
            // From the second round on it starts as quickly as a bundle does, which has no types to strip.
            NODE_COMPILE_CACHE: join(bench.folder, 'compiled'),
          }),
      });
      variants[`ours-${name}`] = upload('exec "$NODE" "$SCRIPT" "$URL" bench "$FILE" "$SIZE" "$SHA1"');
      variants[`curl-${name}`] = upload('exec curl -sSf -o /dev/null -u "$LOGIN" -T "$FILE" "$TARGET"archive');
    }
    return { runs: await alternate(bench, variants), facts: {}, missing: [] };
  } finally {
    for (const close of closers) await close();
  }
}
