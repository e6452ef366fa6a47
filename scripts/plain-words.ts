import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './action-metadata.ts';

/** Words over which readers stumble who learned English as scientists, and what to write instead. */
const WORDS: readonly (readonly [word: RegExp, instead: string])[] = [
  // `anew` in code is a value of the input check-again.
  [/(?<!['`]|check-again(:| is) |as-stored or )\banew\b/i, 'again, from the beginning, a new …'],
  [/\bafresh\b/i, 'again, from the beginning'],
  [/\bbe had\b/i, 'available, downloaded, fetched, read'],
  [/\bmend(s|ed|ing)?\b/i, 'fix'],
  // “There is none” is plain, and so is a value that is called none.
  [/(?<![Tt]here |previous )\b(is|are|was|were) none\b/, 'is not one, does not exist, there is no …'],
  [/\b(tell|tells|told|telling) of\b/i, 'say about, name, list, report'],
  [/\b(say|says|said|saying)( nothing)? of\b/i, 'say about'],
  [/\b(of|on) (its|their|your) own accord\b/i, 'by itself'],
  [/\bin vain\b/i, 'without success, wasted'],
  [/\bof old\b(?!\))/i, 'older, earlier'],
  [/\bas yet\b/i, 'yet, until now'],
  [/\bat hand\b/i, 'available, there'],
  [/\b(lead|leads|led|leading) astray\b/i, 'mislead'],
  [/\b(there|here|where)(by|of|in|with|upon|to)\b/i, 'a sentence that says by, of, in or with what'],
  [/\b(hence|hitherto|henceforth|whence|thence)\b/i, 'so, until now, from now on, from where'],
  [/\b(lest|albeit|ere|nought|naught|aught|betimes|forthwith)\b/i, 'a word of today’s English'],
];

/** Bundles, the words of others, and where the words themselves have to stand. */
const EXEMPT =
  /^(dist\/|package-lock\.json$|LICENSE$|templates\/model\/predict\.html$|(scripts|__tests__\/scripts)\/plain-words\.)/;

/** What may stand where a word of the list has a space: the end of a line, and the mark of a comment. */
const GAP = String.raw`(?:\s+(?:(?:\*|//|#) )?)`;

/** The words of the list in a text, each as a sentence with its place. */
export function wordsIn(path: string, text: string): string[] {
  return WORDS.flatMap(([{ source, flags }, instead]) => {
    const word = new RegExp(source.replaceAll(' ', GAP), `g${flags}`);
    return [...text.matchAll(word)].map((match) => {
      const line = text.slice(0, match.index).split('\n').length;
      return `${path}:${line}: “${match[0].replaceAll(new RegExp(GAP, 'g'), ' ')}” is not plain English. Write instead: ${instead}`;
    });
  });
}

/** The words of the list in all text files that git knows. */
export function wordsInCheckout(): string[] {
  const paths = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0');
  return paths.flatMap((path) => {
    if (path === '' || EXEMPT.test(path) || !existsSync(join(ROOT, path))) return [];
    const text = readFileSync(join(ROOT, path), 'utf8');
    return text.includes('\0') ? [] : wordsIn(path, text);
  });
}

if (import.meta.main) {
  const found = wordsInCheckout();
  for (const sentence of found) process.stderr.write(`${sentence}\n`);
  process.exitCode = found.length > 0 ? 1 : 0;
}
