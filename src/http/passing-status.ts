/** Answers below 500 that pass: a slow request, one too early, too many of them (RFC 9110, 8470, 6585). */
const PASSING = new Set([408, 425, 429]);

/**
 * Answers of 500 and more that stay the same however often one asks: not implemented, an HTTP version that is not
 * spoken (RFC 9110), no space left, a loop (RFC 4918, 5842).
 */
const LASTING = new Set([501, 505, 507, 508]);

/**
 * Whether the same request may succeed a little later: what overloaded servers answer, and the proxies before them
 * (509 is a bandwidth limit, 520 to 524 are Cloudflare's).
 */
export function isPassingStatus(status: number): boolean {
  return PASSING.has(status) || (status >= 500 && !LASTING.has(status));
}
