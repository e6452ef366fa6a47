import { createHash } from 'node:crypto';

/** What a key may be so that it stands in a name as it is. */
const PLAIN = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/**
 * The longest key. With `diatom-`, a run’s number and an attempt it stays below the 64 letters that names of runners at
 * GitHub and of schedules at AWS may have.
 */
const MAX_LENGTH = 32;
const HASH_LENGTH = 6;

/**
 * What tells the trainings of one run apart, such as the name of an artifact, in a form that every name allows which it
 * becomes part of: tags, labels of runners (compared without case), jobs of a cluster, folders. What has to be changed
 * for that gets a piece of its hash, so that two texts never become the same key.
 *
 * @returns `''` for an empty text
 */
export function trainingKey(text: string): string {
  const given = text.normalize('NFC').trim();
  if (given === '' || (given.length <= MAX_LENGTH && PLAIN.test(given))) return given;
  const hash = createHash('sha256').update(given).digest('hex').slice(0, HASH_LENGTH);
  const words = given
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{M}/gu, '')
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  const readable = words
    .join('-')
    .slice(0, MAX_LENGTH - HASH_LENGTH - 1)
    .replace(/-$/, '');
  return readable === '' ? hash : `${readable}-${hash}`;
}
