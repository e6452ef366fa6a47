import { nearest } from '../nearest.ts';

/** What is said of a key that a section does not have. */
export function unknownKey(section: string, key: string, allowed: readonly string[]): string {
  return `${section}.${key}: there is no such key. Did you mean ${nearest(key, allowed)}? Allowed are ${allowed.join(', ')}.`;
}
