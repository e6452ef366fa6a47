import { createPrivateKey } from 'node:crypto';
import githubAppJwt from 'universal-github-app-jwt';
import * as z from 'zod/mini';
import { DiatomError, messageOf } from '../errors.ts';
import { createGithubApi, type GithubApiOptions, GithubError } from './api.ts';
import { installationPath, type RunnerOwner, runnerPermissions } from './runner-owner.ts';

/** A GitHub App, as its settings page shows it. */
export interface App {
  readonly id: string;
  /** The private key, PEM. A secret. */
  readonly privateKey: string;
}

/** A token of an App is asked for again when it has less than this to live, in milliseconds. */
const MARGIN = 5 * 60_000;

const installationSchema = z.object({ id: z.number() });
const tokenSchema = z.object({ token: z.string(), expires_at: z.string() });

/**
 * Tokens of an App’s installation at the owner of the runners, for nothing but managing runners. Each lives an hour;
 * one that is about to end is replaced.
 *
 * @param onToken hears of each new token before anybody uses it, so that it can be hidden from the log
 * @returns what gives a token; it throws GithubError, or DiatomError `INPUT` for a text that is no key
 */
export function appTokens(
  app: App,
  owner: RunnerOwner,
  options: Pick<GithubApiOptions, 'http' | 'baseUrl' | 'signal' | 'policy'>,
  onToken: (token: string) => void,
): () => Promise<string> {
  const key = readKey(app.privateKey);
  let current: { readonly token: string; readonly until: number } | undefined;
  return async () => {
    if (current && current.until - MARGIN > Date.now()) return current.token;
    const minted = await mint(app.id, key, owner, options);
    onToken(minted.token);
    current = { token: minted.token, until: Date.parse(minted.expires_at) };
    return current.token;
  };
}

async function mint(
  id: string,
  privateKey: string,
  owner: RunnerOwner,
  options: Pick<GithubApiOptions, 'http' | 'baseUrl' | 'signal' | 'policy'>,
): Promise<z.infer<typeof tokenSchema>> {
  const permissions = runnerPermissions(owner);
  const api = createGithubApi({
    ...options,
    // How an App shows who it is: Octokit's own JSON Web Token.
    token: async () => (await githubAppJwt({ id, privateKey })).token,
    tokenName: 'the App (app-id, app-private-key)',
    permission: permissions.sentence,
  });
  try {
    const installation = await api.request({
      method: 'GET',
      path: installationPath(owner),
      schema: installationSchema,
    });
    return await api.request({
      method: 'POST',
      path: `/app/installations/${installation.id}/access_tokens`,
      body: {
        permissions: permissions.app,
        ...(owner.scope === 'repository' ? { repositories: [owner.name] } : {}),
      },
      schema: tokenSchema,
    });
  } catch (error) {
    if (!(error instanceof GithubError)) throw error;
    if (error.status === 404) {
      throw new DiatomError(
        'GITHUB',
        `The GitHub App ${id} is not installed for ${describeOwner(owner)}: install it there (the App’s settings, “Install App”), with access to this repository.`,
        { cause: error },
      );
    }
    if (error.status === 422) {
      throw new DiatomError(
        'GITHUB',
        `The GitHub App ${id} was not given ${permissions.sentence}: change its permissions, and accept the change where it is installed.`,
        { cause: error },
      );
    }
    throw error;
  }
}

function describeOwner(owner: RunnerOwner): string {
  return owner.scope === 'repository' ? `${owner.owner}/${owner.name}` : owner.owner;
}

/** @returns the key in PKCS #8, PEM, whichever form it was given in */
function readKey(text: string): string {
  try {
    // A secret that was pasted on one line has its line ends as “\n”.
    const key = createPrivateKey(text.includes('\n') ? text : text.replaceAll('\\n', '\n'));
    return key.export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch (error) {
    throw new DiatomError(
      'INPUT',
      `Input app-private-key is not a private key that can be read (${messageOf(error)}): give the whole .pem file that GitHub made, from “-----BEGIN” to the end.`,
    );
  }
}
