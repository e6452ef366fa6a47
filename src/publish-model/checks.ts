import { percent, withInterval } from '../model/format-figure.ts';
import { type Condition, evaluateGate, figureName, type Verdict } from '../model/gate.ts';
import { figureOf } from '../model/gate-figures.ts';
import type { Metrics } from '../model/metrics.ts';
import { CLASSES_FILE } from '../model/model-folder.ts';
import { checkWorseClasses, type WorseClasses } from './check-worse-classes.ts';
import type { Comparison } from './comparison.ts';
import type { PublishedModel } from './production.ts';

/** Whether something allows a promotion, and a sentence about it. */
export interface Finding {
  readonly passed: boolean;
  /** Whether somebody should look at it although it passes. */
  readonly isWarning?: boolean | undefined;
  readonly sentence: string;
}

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

export interface Rules {
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
    ...(rules.noWorse ? [checkComparison(candidate.comparison, production)] : []),
    ...checkWorseClasses(candidate.comparison, production, rules.worseClasses),
  ];
  return { verdicts, findings, passed: [...verdicts, ...findings].every(({ passed }) => passed) };
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

/**
 * Whether a model is as good as production's, as far as images tell that neither was trained on: its accuracy and its
 * macro-F1 must not lie below the confidence interval of production's. Without evidence the answer is no: the version is
 * kept all the same, and a person can still promote it.
 */
export function checkComparison(comparison: Comparison | undefined, production: PublishedModel | undefined): Finding {
  if (!production) return { passed: true, sentence: 'There is no model in production to compare with.' };
  const no = (sentence: string): Finding => ({ passed: false, sentence });
  const way = 'or promote without a comparison (no-worse-than-production: false)';
  if (!comparison) {
    return no(
      `Whether the model is as good as production’s is not known: it has no comparison.json. Train it with compare-with set to production’s folder, ${way}.`,
    );
  }
  const { productionVersion: compared, scores } = comparison;
  if (compared !== undefined && production.version !== undefined && compared !== production.version) {
    return no(
      `The model was compared with version ${compared}, but ${production.version} is in production now. Train again, ${way}.`,
    );
  }
  if (comparison.tooFew || !scores) {
    return no(
      `Only ${comparison.compared} of ${comparison.total} test images are new to both the model and production’s: too few to tell which one is better. A stable split (split: stable, with a fixed seed, when the data set is prepared) keeps test images out of training for good. Train again with one, ${way}.`,
    );
  }
  const { candidate, production: current } = scores;
  const pairs = [
    ['accuracy', candidate.accuracy, current.accuracy, current.accuracyInterval],
    ['macro-F1', candidate.macroF1, current.macroF1, current.macroF1Interval],
  ] as const;
  const worse = pairs.filter(([, mine, its, interval]) => mine < (interval?.[0] ?? its));
  const shown = (worse.length > 0 ? worse : pairs)
    .map(([name, mine, its, interval]) => `${name} ${percent(mine)}, production ${withInterval(its, interval)}`)
    .join('; ');
  const unknown = compared === undefined ? ' (of which version it is not recorded)' : '';
  const images = `on ${comparison.compared} test images that neither was trained on${unknown}`;
  return worse.length > 0
    ? no(`The model is worse than production’s beyond the confidence interval, ${images}: ${shown}.`)
    : { passed: true, sentence: `The model is no worse than production’s, ${images}: ${shown}.` };
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
