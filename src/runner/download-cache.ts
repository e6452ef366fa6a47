import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { CachedDownload, DownloadCache } from '../download/cache.ts';

const FILE = 'download';
const FACTS = 'facts.json';
/** The tool cache wants a version; ours changes when what lies in it does. */
const VERSION = '1.0.0';

const factsSchema = z.object({
  sha256: z.string(),
  bytes: z.number(),
  etag: z.optional(z.string()),
  lastModified: z.optional(z.string()),
});

/**
 * Downloads kept in the runner's tool cache, one a source address; `undefined` where that would help nobody: outside a
 * runner, and on GitHub's hosted runners, which start every job with a new disk.
 */
export function createDownloadCache(env: NodeJS.ProcessEnv): DownloadCache | undefined {
  if (!env['RUNNER_TOOL_CACHE'] || env['RUNNER_ENVIRONMENT'] === 'github-hosted') return undefined;
  const tool = (key: string) => `diatom-download-${key}`;
  return {
    async find(key) {
      const { find } = await toolCache();
      const folder = find(tool(key), VERSION);
      if (folder === '') return undefined;
      const facts = factsSchema.safeParse(await readFacts(join(folder, FACTS)));
      return facts.success ? { path: join(folder, FILE), ...withoutUndefined(facts.data) } : undefined;
    },
    async store(key, { path, ...facts }) {
      const { cacheFile } = await toolCache();
      const folder = await cacheFile(path, FILE, tool(key), VERSION);
      await writeFile(join(folder, FACTS), JSON.stringify(facts));
    },
  };
}

/** Loaded when it is needed, so that the action starts sooner. */
function toolCache() {
  return import('@actions/tool-cache');
}

/** What a store that was cut short left behind is not there or not JSON, and counts as nothing. */
async function readFacts(path: string): Promise<unknown> {
  return readFile(path, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch(() => undefined);
}

function withoutUndefined({
  sha256,
  bytes,
  etag,
  lastModified,
}: z.infer<typeof factsSchema>): Omit<CachedDownload, 'path'> {
  return {
    sha256,
    bytes,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}
