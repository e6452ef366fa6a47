import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { Kind } from './kinds.ts';
import { placeAt, yamlFaults } from './yaml-faults.ts';
import type { Fault, Place } from './yaml-place.ts';

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
  /** The syntax is so wrong that nobody knows what the rest means. */
  readonly isLost: boolean;
  /** The pairs of a map; `undefined` for what is not a map. */
  pairsOf(value: Value): Pair[] | undefined;
  placeOf(value: Value): Place;
  /** A value as JavaScript has it. */
  plain(value: Node): unknown;
}

export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' });
  const placeOf = (value: Value) => placeAt(lines, value?.range?.[0] ?? 0);
  const resolve = (value: Value): Value => (isAlias(value) ? (value.resolve(document) ?? null) : value);
  return {
    root: resolve(document.contents),
    ...yamlFaults(document, lines, text),
    placeOf,
    plain: (value) => value.toJS(document),
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

/** Why a value is not one that an input can have. */
export interface NoText {
  /** Follows the key’s name. */
  readonly found: string;
  /** The part of the value that is wrong, where it is not all of it. */
  readonly part?: Node | undefined;
}

/** The text of a value as an input has it; or what it is instead. */
export function textOf(value: Value, form: Kind['form']): { readonly text: string } | NoText {
  if (value === null || (isScalar(value) && value.value === null)) {
    return { found: 'has no value: write one behind it (two quotation marks for nothing), or take the line out' };
  }
  if (isScalar(value)) return { text: scalarText(value.value, value.source) };
  if (isSeq(value) && typeof form === 'object') return joined(value.items, form.list);
  if (isMap(value) && form === 'pairs') return linesOf(value.items);
  return { found: isSeq(value) ? 'is a list' : 'is a map' };
}

function linesOf(items: readonly { readonly key: unknown; readonly value: unknown }[]): { text: string } | NoText {
  const lines: string[] = [];
  for (const { key, value } of items) {
    const name = isScalar(key) ? scalarText(key.value, key.source) : '';
    const part = isScalar(key) ? { part: key } : {};
    // “0,001” is 0, and a name without a value.
    if (/^\d+$/.test(name) && lines.length > 0) {
      return { found: `has a comma between ${lines.at(-1)} and ${name}: numbers are written with a point`, ...part };
    }
    if (!isScalar(value) || value.value === null) {
      return {
        found: `has for ${name} ${isNode(value) && !isScalar(value) ? 'something that is not a text' : 'no value'}`,
        ...part,
      };
    }
    const content = scalarText(value.value, value.source);
    if (content.includes('\n')) return { found: `has for ${name} a text of several lines`, ...part };
    lines.push(`${name}=${content}`);
  }
  return { text: lines.join('\n') };
}

function joined(items: readonly unknown[], separator: string): { text: string } | NoText {
  const texts = items.map((item) => (isScalar(item) ? scalarText(item.value, item.source) : undefined));
  const wrong = items[texts.indexOf(undefined)];
  if (texts.includes(undefined))
    return { found: 'holds something that is not a text', ...(isNode(wrong) ? { part: wrong } : {}) };
  return { text: texts.join(separator) };
}

/** Numbers stay as they are written: 1.10 is a version, and no 1.1. */
function scalarText(value: unknown, source: string | undefined): string {
  return typeof value === 'number' ? (source ?? String(value)) : String(value);
}
