import { messageOf } from '../errors.ts';
import { isPassingStatus } from './passing-status.ts';

export interface NetworkFailure {
  /** What happened, where and what to do. Names the host, never the path: a download address is a secret. */
  readonly sentence: string;
  /** Whether trying again may help. */
  readonly transient: boolean;
}

const CERTIFICATE_FAULTS = new Map([
  ['CERT_HAS_EXPIRED', 'its certificate has expired: the server’s administrator has to renew it'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet: check the clock of this machine and of the server'],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'its certificate is for another name: use the name that the certificate is made out to',
  ],
  ...[
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  ].map(
    (code) =>
      [
        code,
        'its certificate is signed by an authority this machine does not know: set NODE_EXTRA_CA_CERTS to a file with that authority’s certificate (an environment variable of the job)',
      ] as const,
  ),
]);

const TRANSIENT_FAULTS = new Map([
  ['ECONNREFUSED', 'refused the connection: is the server running, and is the port right?'],
  ['ECONNRESET', 'broke the connection'],
  ['EPIPE', 'broke the connection'],
  ['UND_ERR_SOCKET', 'broke the connection'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'broke off in the middle of its answer'],
  ['HPE_INVALID_EOF_STATE', 'broke off in the middle of its answer'],
  ['UND_ERR_CONNECT_TIMEOUT', 'did not answer the call for a connection: is it up, and reachable from this runner?'],
  ['ETIMEDOUT', 'did not answer the call for a connection: is it up, and reachable from this runner?'],
  ['UND_ERR_HEADERS_TIMEOUT', 'accepted the request and then did not answer in time'],
  ['UND_ERR_BODY_TIMEOUT', 'stopped sending in the middle of its answer'],
  ['EAI_AGAIN', 'could not be looked up: the name service of this machine does not answer'],
  ['EHOSTUNREACH', 'cannot be reached from this runner'],
  ['ENETUNREACH', 'cannot be reached from this runner'],
]);

/**
 * Puts the code of a failed connection (Node's, OpenSSL's or undici's) into a sentence about the server, and about the
 * proxy when the request went through one.
 */
export function explainNetworkFailure(
  code: string | undefined,
  url: URL,
  error: unknown,
  proxy?: URL | undefined,
): NetworkFailure {
  if (!proxy) return explainServerFailure(code, url, error);
  const refusal = explainProxyRefusal(url, error, proxy);
  if (refusal) return refusal;
  const failure = explainServerFailure(code, url, error);
  const via = `The request went through the proxy ${proxy.host}, which may be the cause: HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide about that.`;
  return { ...failure, sentence: `${failure.sentence} ${via}` };
}

/** undici tells what a proxy answered to CONNECT, and every 407, in the text of its error only. */
function explainProxyRefusal(url: URL, error: unknown, proxy: URL): NetworkFailure | undefined {
  const status = Number(/^Proxy (?:response|Authentication Required) \((\d+)\)/.exec(messageOf(error))?.[1]);
  if (Number.isNaN(status)) return undefined;
  const remedy =
    status === 407
      ? 'it wants a user name and a password: write them into the proxy’s address (http://user:password@proxy:port)'
      : `ask whoever runs the proxy to let ${url.host} through, or add that name to NO_PROXY`;
  return {
    sentence: `The proxy ${proxy.host} refused to connect to ${url.host} (HTTP ${status}): ${remedy}.`,
    transient: isPassingStatus(status),
  };
}

function explainServerFailure(code: string | undefined, url: URL, error: unknown): NetworkFailure {
  const server = `The server ${url.host}`;
  if (code === 'ENOTFOUND') {
    return {
      sentence: `${server} does not exist under that name: check the address for a typing error, or whether it is known only inside the institution’s network.`,
      transient: false,
    };
  }
  const certificate = code === undefined ? undefined : CERTIFICATE_FAULTS.get(code);
  if (certificate) {
    return { sentence: `${server} can’t be trusted: ${certificate} (${code}).`, transient: false };
  }
  if (code === 'EPROTO' || code?.startsWith('ERR_SSL_')) {
    return {
      sentence: `${server} did not answer in TLS: the address says https, check whether it should be http (${code}).`,
      transient: false,
    };
  }
  const transient = code === undefined ? undefined : TRANSIENT_FAULTS.get(code);
  if (transient) return { sentence: `${server} ${transient} (${code}).`, transient: true };
  return {
    sentence: `The request to ${url.host} failed: ${messageOf(error)}${code ? ` (${code})` : ''}.`,
    transient: true,
  };
}
