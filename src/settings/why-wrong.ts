import { isMap, isScalar, isSeq, type Node, Scalar } from 'yaml';
import type { Kind } from '../schema/kinds.ts';
import { isNode, type Value } from '../schema/yaml-map.ts';
import { hasToken } from './list-of-files.ts';
import { secretName, whyNoSecret } from './secrets.ts';

export interface Wrong {
  readonly why: string;
  /** The part of the value that is wrong, where it is not all of it. */
  readonly part?: Node | undefined;
}

/**
 * What is wrong with the value of a key; `undefined` when nothing is. It is not quoted where it may hold a secret.
 *
 * @param text the value as the input has it
 */
export function whyWrong(
  text: string,
  value: Value,
  kind: Kind,
  { inWorkflow, isPublic }: { readonly inWorkflow: boolean; readonly isPublic: boolean },
): Wrong | undefined {
  const { giver, allowed } = kind;
  if (typeof giver === 'object') {
    const why = whyNoSecret(text, giver.secret, inWorkflow);
    return why === undefined ? undefined : { why };
  }
  for (const part of partsOf(value)) {
    const why = whyNoValue(part, isPublic);
    if (why !== undefined) return { why: `${why} Allowed is ${allowed}.`, part };
  }
  if (kind.accepts(text)) return undefined;
  const fault = kind.fault?.(text);
  return { why: `is “${text}”${fault === undefined ? `, allowed is ${allowed}.` : `: ${fault}`}` };
}

function partsOf(value: Value): Scalar[] {
  const parts = isMap(value) ? value.items.map((pair) => pair.value) : isSeq(value) ? value.items : [value];
  return parts.filter((part) => isNode(part) && isScalar(part));
}

/** What no key takes, whatever else it takes. */
function whyNoValue({ value, type }: Scalar, isPublic: boolean): string | undefined {
  const text = String(value);
  const name = secretName(text);
  if (name !== undefined) {
    // With small letters it may be the secret itself.
    return `is no secret here${/^[A-Z][A-Z0-9_]*$/.test(name) ? `, and can’t come from ${name}` : ''}: write the value itself.`;
  }
  if (text.includes('${{')) return `holds \${{ … }}, for which nothing is filled in here: write the value itself.`;
  // In an address, wherever it stands.
  if (/:\/\/[^/\s@:]*:[^/\s@]+@/.test(text)) {
    return 'holds a password (before the “@” of an address), and this file may hold none: take it out. If the file was pushed with it, change that password: it is known.';
  }
  if (isPublic && /^https?:\/\/\S+$/.test(text) && URL.canParse(text) && hasToken(new URL(text))) {
    return 'is a link that opens what it leads to for everybody who has it, and this repository is public: take an address without such a part, and an account.';
  }
  if (type === Scalar.PLAIN && /^[“”„«»‘’‚]/.test(text)) {
    return 'begins with a quotation mark of a word processor, which would belong to the value: write " instead, or none.';
  }
  return undefined;
}
