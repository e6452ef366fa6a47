import { request } from 'node:http';

/**
 * Whether a server that does not answer in TLS answers without it, at the same port. It gets nothing of the address but
 * the host. A server of TLS may answer in plain HTTP too, but only to say so (400).
 */
export function speaksPlainHttp({ hostname, port }: URL, timeoutMs = 3_000): Promise<boolean> {
  return new Promise((resolve) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const asking = request({ host, port: port || 443, method: 'HEAD', path: '/', timeout: timeoutMs, agent: false });
    const end = (answer: boolean) => {
      resolve(answer);
      asking.destroy();
    };
    asking
      .once('response', ({ statusCode }) => end(statusCode !== 400))
      .once('timeout', () => end(false))
      .on('error', () => end(false))
      .end();
  });
}
