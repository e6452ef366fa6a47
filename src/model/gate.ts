import { DiatomError } from '../errors.ts';
import { didYouMean } from '../text/nearest.ts';
import { CLASS_FIGURES, figureOf, isFraction, OVERALL_FIGURES } from './gate-figures.ts';
import type { Metrics } from './metrics.ts';

const OPERATORS = ['>=', '<=', '==', '>', '<'] as const;
type Operator = (typeof OPERATORS)[number];

/** One comparison of a gate, such as `recall[hannea] >= 0.7`. */
export interface Condition {
  readonly figure: string;
  /** The class, for a figure of one. */
  readonly label: string | undefined;
  readonly operator: Operator;
  readonly limit: number;
}

/** What became of a condition. */
export interface Verdict {
  readonly condition: Condition;
  /** The candidate's value; `undefined` when it was not measured. */
  readonly value: number | undefined;
  readonly passed: boolean;
}

const EXAMPLE = 'macro_f1 >= 0.85, recall[hannea] >= 0.7';

/**
 * Reads a gate: comparisons separated by commas or new lines. A label with a comma, a bracket or a quotation mark in it
 * stands between quotation marks, single or double, with `\` before those of its own.
 *
 * @throws DiatomError `INPUT` with line and column of what is wrong, and what is allowed there
 */
export function parseGate(text: string): Condition[] {
  const conditions: Condition[] = [];
  let position = 0;

  function take(pattern: RegExp): string | undefined {
    const sticky = new RegExp(pattern, 'uy');
    sticky.lastIndex = position;
    const found = sticky.exec(text);
    if (!found) return undefined;
    position = sticky.lastIndex;
    return found[1] ?? found[0];
  }
  const space = () => take(/[^\S\n]*/);

  function refuse(expected: string, at = position): never {
    const before = text.slice(0, at).split('\n');
    const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    const rest = /^[^\n]{0,30}/.exec(text.slice(at))?.[0].trim();
    const found = rest ? `found “${rest}”` : 'it ends here';
    throw new DiatomError(
      'INPUT',
      `Input gate, ${place}: ${found}, expected is ${expected}. A gate looks like this: ${EXAMPLE}`,
    );
  }

  function figure(): string {
    const start = position;
    const name = take(/[A-Za-z_]\w*/);
    if (name !== undefined && (OVERALL_FIGURES.includes(name) || CLASS_FIGURES.includes(name))) return name;
    const figures = [...OVERALL_FIGURES, ...CLASS_FIGURES];
    const meant = name === undefined ? '' : didYouMean(name, figures).replace(/^ (.*)/, ' ($1)');
    return refuse(
      `a figure${meant}: one of ${OVERALL_FIGURES.join(', ')}, or of a class ${CLASS_FIGURES.map((known) => `${known}[label]`).join(', ')}`,
      start,
    );
  }

  function label(name: string): string | undefined {
    const ofClass = CLASS_FIGURES.includes(name);
    if (take(/\[/) === undefined) return ofClass ? refuse(`the class in brackets, such as ${name}[hannea]`) : undefined;
    if (!ofClass)
      return refuse(`a comparison: ${name} is a figure of the whole model and takes no class`, position - 1);
    space();
    const quoted = take(/"((?:[^"\\\n]|\\.)*)"/) ?? take(/'((?:[^'\\\n]|\\.)*)'/);
    const found = quoted?.replace(/\\(.)/g, '$1') ?? take(/[^\]"',\n]+/)?.trim();
    if (!found) return refuse('a label, between quotation marks if it holds a comma or a bracket');
    space();
    if (take(/\]/) === undefined) refuse('“]” after the label');
    return found;
  }

  function limit(name: string): number {
    const start = position;
    const number = take(/\d+(?:\.\d+)?(?![\w.%])|\.\d+(?![\w.%])/);
    if (number === undefined) return refuse(isFraction(name) ? 'a number from 0 to 1, such as 0.85' : 'a number');
    const value = Number(number);
    if (isFraction(name) && value > 1)
      return refuse(`a number from 0 to 1: ${name} is a fraction, 85 % is 0.85`, start);
    return value;
  }

  for (take(/[\s,]*/); position < text.length; take(/[\s,]*/)) {
    const name = figure();
    space();
    const ofClass = label(name);
    space();
    const found = take(/[<>=!~]+/);
    const operator = OPERATORS.find((known) => known === found);
    if (operator === undefined) {
      refuse(`a comparison: one of ${OPERATORS.join(', ')}`, position - (found?.length ?? 0));
    }
    space();
    conditions.push({ figure: name, label: ofClass, operator, limit: limit(name) });
    space();
    if (position < text.length && !/[,\n]/.test(text.charAt(position)))
      refuse('a comma or a new line between two comparisons');
  }
  return conditions;
}

/**
 * Compares a model's figures with a gate. What was not measured does not pass.
 *
 * @param labels the model's classes
 * @throws DiatomError `INPUT` when the gate asks for a class that the model does not have: a gate that could never pass
 */
export function evaluateGate(conditions: readonly Condition[], metrics: Metrics, labels: readonly string[]): Verdict[] {
  const unknown = conditions.find(({ label }) => label !== undefined && !labels.includes(label));
  if (unknown) {
    throw new DiatomError(
      'INPUT',
      `Input gate asks for ${figureName(unknown)}, but the model has no class “${unknown.label}”; its classes are ${labels.join(', ')}.`,
    );
  }
  return conditions.map((condition) => {
    const value = figureOf(metrics, condition.figure, condition.label);
    return { condition, value, passed: value !== undefined && holds(value, condition) };
  });
}

/** A figure as a gate spells it, such as `recall[hannea]`. */
export function figureName({ figure, label }: Pick<Condition, 'figure' | 'label'>): string {
  if (label === undefined) return figure;
  return /[\]"',\\]/.test(label) ? `${figure}[${JSON.stringify(label)}]` : `${figure}[${label}]`;
}

/** A gate as `parseGate` reads it, in one line; the same for every way to write the same gate. */
export function formatGate(conditions: readonly Condition[]): string {
  return conditions.map((condition) => `${figureName(condition)} ${condition.operator} ${condition.limit}`).join(', ');
}

function holds(value: number, { operator, limit }: Condition): boolean {
  switch (operator) {
    case '>=':
      return value >= limit;
    case '>':
      return value > limit;
    case '<=':
      return value <= limit;
    case '<':
      return value < limit;
    case '==':
      return value === limit;
  }
}
