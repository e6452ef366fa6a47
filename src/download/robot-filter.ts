import { type HttpResponse, headerOf } from '../http/client.ts';
import type { ShareService } from './share-service.ts';

/**
 * The filter against robots that has answered instead of a server, by its headers (AWS WAF developer guide, “CAPTCHA and
 * Challenge”; Cloudflare docs, “Detect a Challenge Page response”): it wants a browser to solve something.
 */
export function filterOf(response: HttpResponse): string | undefined {
  if (headerOf(response, 'x-amzn-waf-action') !== undefined) return 'AWS WAF';
  if (headerOf(response, 'cf-mitigated') !== undefined) return 'Cloudflare';
  return undefined;
}

/** The same by the text of its page, for those that answer with 200. */
export function filterOfPage(text: string): string | undefined {
  if (/<title>Just a moment\.\.\.|challenges\.cloudflare\.com/i.test(text)) return 'Cloudflare';
  if (/awsWafCookieDomainList|gokuProps/.test(text)) return 'AWS WAF';
  if (/_Incapsula_Resource/.test(text)) return 'Imperva';
  if (/within\.website\/x\/cmd\/anubis|id="anubis_/.test(text)) return 'Anubis';
  return undefined;
}

/** What to do about a file that only browsers get. A link is not to blame, so that no new one helps. */
export function closedToPrograms(host: string, filter: string, service: ShareService | undefined): string {
  const advice =
    service?.name === 'figshare'
      ? service.advice
      : 'Ask whoever runs it to let downloads of the file through to programs, take an address of its API, or share the zip from another place.';
  return `Before ${host} stands a filter against robots (${filter}), which lets only browsers through, so that programs can’t download from it. ${advice}`;
}
