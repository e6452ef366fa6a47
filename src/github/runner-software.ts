import * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';
import { type GithubApi, GithubError } from './api.ts';
import { actionsPath, type RunnerOwner } from './runner-owner.ts';

export type Architecture = 'x64' | 'arm64';

/** The runner's programs, to be downloaded and checked. */
export interface RunnerDownload {
  readonly url: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly version: string;
}

/** Older ones don't know what our workflows use (`uses: $/…`), and GitHub gives them no jobs any more. */
const OLDEST: readonly [major: number, minor: number] = [2, 336];
const OLDEST_VERSION = `${OLDEST.join('.')}.0`;

const downloadsSchema = z.array(
  z.object({
    os: z.string(),
    architecture: z.string(),
    download_url: z.string(),
    filename: z.string(),
    sha256_checksum: z.optional(z.string()),
  }),
);
const releaseSchema = z.object({ assets: z.array(z.object({ name: z.string(), digest: z.nullish(z.string()) })) });

/** Whether a version is one that can be used: `2.336.0` or newer. */
export function isNewEnough(version: string): boolean {
  const [, major = '', minor = ''] = /^(\d{1,4})\.(\d{1,5})\.\d{1,5}$/.exec(version) ?? [];
  return major !== '' && (Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]));
}

/**
 * The newest of the runner's programs that GitHub offers to this owner, for Linux.
 *
 * @throws DiatomError `GITHUB` when it offers none that is new enough, or no sum
 */
export async function newestRunner(
  api: GithubApi,
  owner: RunnerOwner,
  architecture: Architecture,
): Promise<RunnerDownload> {
  const downloads = await api.request({
    method: 'GET',
    path: `${actionsPath(owner)}/runners/downloads`,
    schema: downloadsSchema,
  });
  const found = downloads.find((download) => download.os === 'linux' && download.architecture === architecture);
  const version = /-(\d+\.\d+\.\d+)\.tar\.gz$/.exec(found?.filename ?? '')?.[1] ?? '';
  if (!found || !isNewEnough(version)) {
    throw new DiatomError(
      'GITHUB',
      `GitHub offers ${found ? `version ${version || 'unknown'} of the runner` : 'no runner'} for Linux ${architecture}, and ${OLDEST_VERSION} or newer is needed: set runner-version, or install it on the server and set runner-dir.`,
    );
  }
  const sha256 = found.sha256_checksum?.toLowerCase();
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new DiatomError(
      'GITHUB',
      `GitHub gives no SHA-256 for ${found.filename}: set runner-version and runner-sha256 (from the release’s notes).`,
    );
  }
  return { url: found.download_url, sha256, version };
}

/**
 * A version of the runner's programs, from its release.
 *
 * @param sha256 its sum, when it is known: then GitHub is not asked
 */
export async function runnerOfVersion(
  api: GithubApi,
  version: string,
  architecture: Architecture,
  sha256: string | undefined,
): Promise<RunnerDownload> {
  const file = `actions-runner-linux-${architecture}-${version}.tar.gz`;
  const url = `https://github.com/actions/runner/releases/download/v${version}/${file}`;
  if (sha256 !== undefined) return { url, sha256, version };
  const digest = await releaseDigest(api, version, file);
  const [, sum] = /^sha256:([0-9a-f]{64})$/i.exec(digest ?? '') ?? [];
  if (sum !== undefined) return { url, sha256: sum.toLowerCase(), version };
  throw new DiatomError(
    'GITHUB',
    `GitHub’s release v${version} of the runner gives no SHA-256 for ${file}: set runner-sha256 (from the release’s notes).`,
  );
}

async function releaseDigest(api: GithubApi, version: string, file: string): Promise<string | null | undefined> {
  try {
    const { assets } = await api.request({
      method: 'GET',
      path: `/repos/actions/runner/releases/tags/v${version}`,
      schema: releaseSchema,
    });
    return assets.find(({ name }) => name === file)?.digest;
  } catch (error) {
    if (!(error instanceof GithubError) || error.status !== 404) throw error;
    throw new DiatomError(
      'GITHUB',
      `GitHub knows no version ${version} of the runner (input runner-version). On a server of your own (GHES), set runner-sha256 too.`,
      { cause: error },
    );
  }
}
