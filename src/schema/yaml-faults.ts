import { type Document, isAlias, isPair, isScalar, type LineCounter, type Node, visit, type YAMLError } from 'yaml';
import type { Fault, Place } from './yaml-place.ts';

const BAD_INDENT =
  'this line begins in another column than those that it belongs to: keys of one section stand exactly below each other.';

/** What is said about the faults that people make; about all others, the parser’s own words. */
const SENTENCES: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  TAB_AS_INDENT:
    'a tab stands at the beginning of this line, and YAML wants spaces: write two spaces instead of each tab.',
  BAD_INDENT,
  BLOCK_AS_IMPLICIT_KEY:
    'this value has a colon with a space behind it, which YAML takes for another key: put the whole value into quotation marks, "like: this".',
  BAD_SCALAR_START: 'a value can’t begin with this character: put the value into quotation marks, "like this".',
  BAD_ALIAS: 'a value that begins with * is a reference in YAML: put it into quotation marks, "*".',
  BAD_DQ_ESCAPE:
    'between " and ", YAML reads a \\ as the beginning of a special character: put the value between \' and \' instead.',
  MULTIPLE_DOCS: 'the line --- begins a second document, and a settings file is one: take the line out.',
};

/** Those that only spoil their own line; after any other, nobody knows what the rest of the text means. */
const LOCAL: readonly YAMLError['code'][] = [
  'DUPLICATE_KEY',
  'BLOCK_AS_IMPLICIT_KEY',
  'BAD_SCALAR_START',
  'BAD_ALIAS',
  'BAD_DQ_ESCAPE',
  'TAG_RESOLVE_FAILED',
];

/** Lines that make no sense of anything after them. */
const ODD_LINES: readonly (readonly [line: RegExp, sentence: string])[] = [
  [
    /^[ \t]*[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/m,
    'this line begins with characters that look like spaces but are not, as web pages and word processors have them: write spaces instead.',
  ],
  [
    /^(<{7}|>{7}) /m,
    'Git has put two versions of the file here, from <<<<<<< to >>>>>>>, with ======= between them: keep one, and take these three lines out.',
  ],
];

/** All that is wrong with a text as YAML. */
export function yamlFaults(
  document: Document.Parsed,
  lines: LineCounter,
  text: string,
): { faults: Fault[]; isLost: boolean } {
  const at = (offset: number): Place => placeAt(lines, offset);
  for (const [line, sentence] of ODD_LINES) {
    const odd = line.exec(text);
    if (odd !== null) return { faults: [{ ...at(odd.index), sentence }], isLost: true };
  }
  const errors = [...document.errors, ...document.warnings].filter(isOfItself);
  const lost = errors.findIndex(({ code }) => !LOCAL.includes(code));
  // What follows is mostly said because of it. Tabs come in numbers.
  const told = lost < 0 ? errors : errors.filter(({ code }, index) => index <= lost || code === 'TAB_AS_INDENT');
  const faults = told.map((error) => {
    const { offset, sentence } = inWords(error, document, text);
    return { ...at(offset), sentence };
  });
  return { faults: [...faults, ...(lost < 0 ? oddNodes(document, at) : [])], isLost: lost >= 0 };
}

/** A value that seems to go on in the next line is said to have a colon as well. */
function isOfItself({ code, pos }: YAMLError, _: number, all: readonly YAMLError[]): boolean {
  const isAlsoLong = (other: YAMLError) => other.code === 'MULTILINE_IMPLICIT_KEY' && other.pos[0] === pos[0];
  return code !== 'BLOCK_AS_IMPLICIT_KEY' || !all.some(isAlsoLong);
}

function inWords(error: YAMLError, document: Document.Parsed, text: string): { offset: number; sentence: string } {
  const said = { offset: startOf(error, document), sentence: sentenceOf(error, text) };
  return error.code === 'MULTILINE_IMPLICIT_KEY' ? (lineOfTwo(text, error.pos[0]) ?? said) : said;
}

/** Why the parser takes two lines for one key: what it begins with has no colon as a key has, or is a value already. */
function lineOfTwo(text: string, start: number): { offset: number; sentence: string } | undefined {
  const before = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  const line = text.slice(start).split('\n', 1)[0] ?? '';
  if (before.includes(':')) {
    const next = /\S/.exec(text.slice(start + line.length));
    return next ? { offset: start + line.length + next.index, sentence: BAD_INDENT } : undefined;
  }
  const [, key = '', colon] = /^([\w-]+)(:?)/.exec(line) ?? [];
  if (key === '') return undefined;
  return {
    offset: start,
    sentence: colon
      ? `between a key and its value, YAML wants a colon and a space: “${key}: …”.`
      : `behind “${key}” a colon is missing, as every key has one.`,
  };
}

/** From 1, as editors count. */
export function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function sentenceOf({ code, message, pos: [start, end] }: YAMLError, text: string): string {
  if (code === 'DUPLICATE_KEY') {
    const key = /^[\w-]+/.exec(text.slice(start))?.[0] ?? 'this key';
    return `${key} stands a second time here: put what belongs to it into one place.`;
  }
  if (code === 'TAG_RESOLVE_FAILED') {
    return `a word that begins with ! is a tag in YAML, and means nothing here (${text.slice(start, end)}): take it out. A secret is written “secret NAME”.`;
  }
  if (isQuoteMissing(message)) return 'a quotation mark begins here, and none ends it: write one where the value ends.';
  return SENTENCES[code] ?? `this is not YAML as it has to be: ${message.trim().replace(/\.?$/, '.')}`;
}

/** The parser says it where it has noticed it, which is the end of the file. */
function startOf({ message, pos }: YAMLError, document: Document.Parsed): number {
  let start = pos[0];
  if (!isQuoteMissing(message)) return start;
  visit(document, {
    Scalar(_, { type, range }) {
      if (type?.startsWith('QUOTE') && range && range[0] < pos[0] && pos[0] <= range[2]) start = range[0];
    },
  });
  return start;
}

function isQuoteMissing(message: string): boolean {
  return /^Missing closing .quote/.test(message);
}

/** What is fine as YAML, and would be passed over or misread here. */
function oddNodes(document: Document.Parsed, at: (offset: number) => Place): Fault[] {
  const faults: Fault[] = [];
  const add = (node: Node, sentence: string) => faults.push({ ...at(node.range?.[0] ?? 0), sentence });
  visit(document, (_, node) => {
    if (isAlias(node) && node.source !== '' && node.resolve(document) === undefined) {
      add(
        node,
        `*${node.source} refers to nothing in this file: if the * belongs to the value, put it into quotation marks.`,
      );
    }
    if (!isPair<Node, unknown>(node) || !node.key) return;
    if (!isScalar(node.key)) add(node.key, 'this can’t be a key: a key is one word, with a colon behind it.');
    else if (node.key.value === '<<') add(node.key, '“<<” is not read here: write the keys themselves.');
  });
  return faults;
}
