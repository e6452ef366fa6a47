import { type Condition, evaluateGate, figureName, type Verdict } from '../model/gate.ts';
import { figureOf } from '../model/gate-figures.ts';
import type { Metrics } from '../model/metrics.ts';
import { CLASSES_FILE } from '../model/model-folder.ts';
import type { PairedRules } from '../model/paired-verdict.ts';
import { SERVING_NETWORK } from '../model/serving-network.ts';
import { checkComparison } from './check-comparison.ts';
import { checkWorseClasses, type WorseClasses } from './check-worse-classes.ts';
import type { Comparison } from './comparison.ts';
import type { Finding } from './promotion-finding.ts';
import type { PublishedModel } from './published-model.ts';

/** All that decides about a promotion. */
export interface Checks {
  readonly verdicts: readonly Verdict[];
  /** Class list, and comparison as a whole and class by class. */
  readonly findings: readonly Finding[];
  readonly passed: boolean;
}

export interface Candidate {
  readonly classes: readonly string[];
  readonly metrics: Metrics;
  readonly comparison: Comparison | undefined;
}

export interface Rules extends PairedRules {
  readonly gate: readonly Condition[];
  readonly noWorse: boolean;
  readonly worseClasses: WorseClasses;
  readonly allowClassChange: boolean;
}

/** @param production what is in production; `undefined` when nothing is */
export function checkCandidate(candidate: Candidate, production: PublishedModel | undefined, rules: Rules): Checks {
  const verdicts = evaluateGate(rules.gate, candidate.metrics, candidate.classes);
  const findings = [
    checkClasses(candidate.classes, production, rules.allowClassChange),
    ...checkServing(candidate.metrics, production),
    ...(rules.noWorse ? checkComparison(candidate.comparison, production, rules) : []),
    ...checkWorseClasses(candidate.comparison, production, rules.worseClasses),
  ];
  return { verdicts, findings, passed: [...verdicts, ...findings].every(({ passed }) => passed) };
}

/**
 * Whether what reads production can load the model. The template's serving code knows one network only, and a model says
 * whether it is that; what production says nothing about is taken for it.
 */
export function checkServing(metrics: Metrics | undefined, production: PublishedModel | undefined): Finding[] {
  if (metrics?.servesContract !== false || !production || production.metrics?.servesContract === false) return [];
  return [
    {
      passed: false,
      sentence: `The network is not the ${SERVING_NETWORK.name} that the serving code loads, and production’s is: programs that read production would fail. Train with ${SERVING_NETWORK.setting}, or publish it under another model-name.`,
    },
  ];
}

/** A version that is in production already is not asked whether it is worse than what it has replaced there. */
export function rulesFor(version: string, production: PublishedModel | undefined, rules: Rules): Rules {
  return production?.version === version ? { ...rules, noWorse: false, worseClasses: 'allow' } : rules;
}

/**
 * Whoever reads production knows the classes by their numbers, so another list, or another order, makes every answer of
 * the model mean something else.
 */
export function checkClasses(
  classes: readonly string[],
  production: PublishedModel | undefined,
  allowed: boolean,
): Finding {
  if (!production) return { passed: true, sentence: 'There is no model in production whose classes could differ.' };
  const change = classChange(classes, production);
  if (change === undefined) return { passed: true, sentence: 'The classes are those of production.' };
  return allowed
    ? { passed: true, sentence: `${change} This is allowed (allow-class-change).` }
    : {
        passed: false,
        sentence: `${change} Programs that read production would take one class for another: adapt them, and then set allow-class-change: true.`,
      };
}

/** How the classes differ from production's, as a sentence; `undefined` when they don't. */
export function classChange(classes: readonly string[], { classes: current }: PublishedModel): string | undefined {
  if (!current) return `The classes can’t be compared: production has no ${CLASSES_FILE} that can be read.`;
  if (JSON.stringify(classes) === JSON.stringify(current)) return undefined;
  const added = classes.filter((label) => !current.includes(label));
  const gone = current.filter((label) => !classes.includes(label));
  const parts = [
    added.length > 0 ? `new: ${added.join(', ')}` : '',
    gone.length > 0 ? `no longer there: ${gone.join(', ')}` : '',
  ].filter((part) => part !== '');
  return `The classes differ from production’s (${parts.join('; ') || 'the same in another order'}).`;
}

/** Why a version is not promoted: one line a reason, with the figures side by side. */
export function refusalLines({ verdicts, findings }: Checks, production: PublishedModel | undefined): string[] {
  return [
    ...verdicts.flatMap(({ condition, value, passed }) => {
      if (passed) return [];
      const { figure, label, operator, limit } = condition;
      const current = production?.metrics && figureOf(production.metrics, figure, label);
      const beside = current === undefined ? '' : `, production has ${shown(current)}`;
      return [
        `${figureName(condition)}: the model has ${shown(value)}, required is ${operator} ${limit}${beside} (gate).`,
      ];
    }),
    ...findings.flatMap(({ passed, sentence }) => (passed ? [] : [sentence])),
  ];
}

/** A figure of a gate for people: up to four decimals, as gates are written. */
export function shown(value: number | undefined): string {
  return value === undefined ? 'none (not measured)' : String(Number(value.toFixed(4)));
}
