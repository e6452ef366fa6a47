import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { makeAuthority } from './authority.ts';
import { listen } from './loopback-server.ts';
import { temporaryFolder } from './runner.ts';

/** Who changes GitHub’s word for a job for a token of Google’s. */
export interface GoogleSignIn {
  /** What leads `gcloud` here, and not to Google. */
  readonly env: Readonly<Record<string, string>>;
  /** What was asked, in this order, with what it was asked for. */
  readonly asked: readonly { readonly where: string; readonly authorization: string; readonly body: string }[];
  close(): Promise<void>;
}

const HOSTS = ['sts.googleapis.com', 'iamcredentials.googleapis.com'];

/**
 * Stand-ins of GitHub’s address for identities (OIDC), of Google’s Security Token Service and of its IAM Credentials, written
 * by their references. The latter two are where `gcloud` looks for them, behind a proxy, with certificates of an own authority.
 *
 * @param token the token of a service account that is given at the end
 */
export async function startGoogleSignIn(token: string): Promise<GoogleSignIn> {
  const asked: { where: string; authorization: string; body: string }[] = [];
  const authority = await makeAuthority();
  const { certificate, key } = await authority.sign(...HOSTS);
  const trusted = join(temporaryFolder(), 'ca.crt');
  await writeFile(trusted, authority.certificate);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    const { host = '', authorization = '' } = request.headers;
    const where = `${HOSTS.includes(host) ? host : 'github'}${request.url}`;
    asked.push({ where, authorization, body });
    const answer = where.startsWith('github')
      ? { value: 'github-says-so' }
      : where.startsWith('sts.')
        ? {
            access_token: 'federated',
            issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            token_type: 'Bearer',
            expires_in: 3_600,
          }
        : { accessToken: token, expireTime: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, '') };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  const google = createTlsServer({ cert: await readFile(certificate), key: await readFile(key) }, serve);
  const port = await listen(google);
  const door = createServer(serve).on('connect', (request, socket) => {
    if (!HOSTS.includes((request.url ?? '').replace(':443', ''))) return void socket.destroy();
    const server = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      server.pipe(socket).pipe(server);
    });
    for (const end of [server, socket]) end.on('error', () => end.destroy());
  });
  const origin = `http://127.0.0.1:${await listen(door)}`;
  return {
    env: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/identity?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token',
      HTTPS_PROXY: origin,
      NO_PROXY: '127.0.0.1',
      REQUESTS_CA_BUNDLE: trusted,
    },
    asked,
    close: async () => {
      for (const server of [google, door]) {
        server.closeAllConnections();
        server.close();
      }
      await authority.close();
    },
  };
}
