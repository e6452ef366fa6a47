import { describe, expect, test } from 'vitest';
import { explainNetworkFailure } from '../../src/http/network-failure.ts';

const URL_WITH_SECRETS = new URL('https://user:secret@cloud.example.org/secret/path?token=secret');

describe('explainNetworkFailure', () => {
  test.each([
    ['ENOTFOUND', false, /does not exist under that name/],
    ['CERT_HAS_EXPIRED', false, /certificate has expired/],
    ['SELF_SIGNED_CERT_IN_CHAIN', false, /NODE_EXTRA_CA_CERTS/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', false, /for another name/],
    ['EPROTO', false, /should be http/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', false, /should be http/],
    ['ECONNREFUSED', true, /refused the connection/],
    ['UND_ERR_SOCKET', true, /broke the connection/],
    ['UND_ERR_BODY_TIMEOUT', true, /stopped sending/],
    ['UND_ERR_HEADERS_TIMEOUT', true, /did not answer in time/],
    ['EAI_AGAIN', true, /could not be looked up/],
    [undefined, true, /what the library said/],
  ])('%s: passing is %s, and the sentence names the host and no secret', (code, transient, says) => {
    const failure = explainNetworkFailure(code, URL_WITH_SECRETS, new Error('what the library said'));
    expect(failure.transient).toBe(transient);
    expect(failure.sentence).toMatch(says);
    expect(failure.sentence).toContain('cloud.example.org');
    expect(failure.sentence).not.toMatch(/secret/);
  });

  test('behind a proxy the sentence names the proxy, without its password', () => {
    const proxy = new URL('http://user:secret@proxy.example.org:3128');
    const { sentence } = explainNetworkFailure('ECONNREFUSED', URL_WITH_SECRETS, new Error(''), proxy);
    expect(sentence).toMatch(/through the proxy proxy\.example\.org:3128/);
    expect(sentence).not.toMatch(/secret/);
  });
});
