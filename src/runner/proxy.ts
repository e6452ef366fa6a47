import { getProxyUrl } from '@actions/http-client/lib/proxy';

/**
 * The proxy that the environment names for an address (`https_proxy`, `http_proxy`, `no_proxy`, in either case), read
 * as the runner itself reads it; `undefined` for a direct connection, which loopback addresses always get.
 */
export function proxyFor(url: URL): URL | undefined {
  return getProxyUrl(url);
}
