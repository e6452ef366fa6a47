import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { Kind } from './kinds.ts';

/** From 1, as editors count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What is wrong, and where. */
export interface Fault extends Place {
  readonly sentence: string;
}

/** A value of the file, which its owner reads as far as it needs. */
export type Value = Node | null;

export interface Pair {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: Value;
  readonly valuePlace: Place;
}

/** YAML (or JSON, which is YAML) that knows its places. */
export interface YamlText {
  readonly root: Value;
  /** Of the syntax. */
  readonly faults: readonly Fault[];
  /** The pairs of a map; `undefined` for what is none. */
  pairsOf(value: Value): Pair[] | undefined;
  placeOf(value: Value): Place;
}

export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const placeOf = (value: Value) => at(value?.range?.[0] ?? 0);
  const resolve = (value: Value): Value => (isAlias(value) ? (value.resolve(document) ?? null) : value);
  return {
    root: resolve(document.contents),
    faults: document.errors.map(({ message, pos }) => ({
      ...at(pos[0]),
      sentence: `this is not YAML as it has to be: ${message.trim().replace(/\.?$/, '.')}`,
    })),
    placeOf,
    pairsOf(value) {
      const map = resolve(value);
      if (!isMap(map)) return undefined;
      return map.items.flatMap(({ key, value: found }) => {
        if (!isScalar(key)) return [];
        const node = isNode(found) ? found : null;
        const keyPlace = placeOf(key);
        return [
          { key: String(key.value), keyPlace, value: resolve(node), valuePlace: node ? placeOf(node) : keyPlace },
        ];
      });
    },
  };
}

/** Whether an item of the syntax tree has a place. */
export function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

/** The text of a value as an input has it; or what it is instead. */
export function textOf(value: Value, form: Kind['form']): { readonly text: string } | { readonly found: string } {
  if (value === null || (isScalar(value) && value.value === null)) {
    return { found: 'has no value: write one behind it (two quotation marks for nothing), or take the line out' };
  }
  if (isScalar(value)) return { text: scalarText(value.value, value.source) };
  if (isSeq(value) && typeof form === 'object') return joined(value.items, form.list);
  if (isMap(value) && form === 'pairs') {
    const lines = value.items.map((pair) => {
      const [name, found] = [isScalar(pair.key) ? String(pair.key.value) : '', pair.value];
      const content = isScalar(found) ? scalarText(found.value ?? '', found.source) : undefined;
      return content === undefined || content.includes('\n') ? undefined : `${name}=${content}`;
    });
    if (lines.includes(undefined)) return { found: 'holds something that is no text of one line' };
    return { text: lines.join('\n') };
  }
  return { found: isSeq(value) ? 'is a list' : 'is a map' };
}

function joined(items: readonly unknown[], separator: string): { text: string } | { found: string } {
  const texts = items.map((item) => (isScalar(item) ? scalarText(item.value, item.source) : undefined));
  if (texts.includes(undefined)) return { found: 'holds something that is no text' };
  return { text: texts.join(separator) };
}

/** Numbers stay as they are written: 1.10 is a version, and no 1.1. */
function scalarText(value: unknown, source: string | undefined): string {
  return typeof value === 'number' ? (source ?? String(value)) : String(value);
}
