import { nameOfBest, verdictSentence, whyBestIsOut } from '../model/comparison-sentences.ts';
import { percent, withInterval } from '../model/format-figure.ts';
import type { Metrics } from '../model/metrics.ts';
import {
  besideBest as answersBesideBest,
  compareFigures,
  comparePairs,
  type PairedResult,
  type PairedRules,
  passes,
} from '../model/paired-verdict.ts';
import type { Comparison } from './comparison.ts';
import type { Finding } from './promotion-finding.ts';
import type { PublishedModel } from './published-model.ts';

const WAY = 'or promote without a comparison (no-worse-than-production: false)';

/**
 * Whether a model may take production's place, as far as images tell that neither was trained on: by what both say to each
 * of them, beside production and beside the best version that ever was there. Without evidence the answer is no: the
 * version is kept anyway, and a person can still promote it.
 */
export function checkComparison(
  comparison: Comparison | undefined,
  production: PublishedModel | undefined,
  rules: PairedRules,
): Finding[] {
  if (!production) return [{ passed: true, sentence: 'There is no model in production to compare with.' }];
  const missing = whyNoEvidence(comparison, production);
  if (missing !== undefined) return [{ passed: false, sentence: missing }];
  return comparison?.scores
    ? [besideProduction(comparison, comparison.scores, rules), ...besideBest(comparison, rules)]
    : [];
}

/** Why a comparison says nothing about production; `undefined` when it does. */
function whyNoEvidence(comparison: Comparison | undefined, production: PublishedModel): string | undefined {
  if (!comparison) {
    return `Whether the model is as good as production’s is not known: it has no comparison.json. Train it with compare-with set to production’s folder, ${WAY}.`;
  }
  const { productionVersion: compared } = comparison;
  if (compared !== undefined && production.version !== undefined && compared !== production.version) {
    return `The model was compared with version ${compared}, but ${production.version} is in production now. Train again, ${WAY}.`;
  }
  if (!comparison.tooFew && comparison.scores) return undefined;
  return `Only ${comparison.compared} of ${comparison.total} test images are new to both the model and production’s: too few to tell which one is better. A stable split (split: stable, with a fixed seed, when the data set is prepared) keeps test images out of training for good. Train again with one, ${WAY}.`;
}

function besideProduction(
  { productionVersion, compared, images }: Comparison,
  { candidate, production }: NonNullable<Comparison['scores']>,
  rules: PairedRules,
): Finding {
  const isPaired = images !== undefined && images.length > 0;
  const result = isPaired ? comparePairs(images) : compareFigures(candidate.accuracy, production.accuracy);
  const note = productionVersion === undefined ? ' (of which version it is not recorded)' : '';
  const words = verdictSentence(result, 'production’s', isPaired ? images.length : compared, note);
  const judged = judge(result, words, rules);
  const fallen = macroF1Fell(candidate, production);
  return fallen === undefined ? judged : finding(false, `${judged.sentence} ${fallen}`);
}

/** A figure for which rare classes count as much as frequent ones: the accuracy can hide what they lose. */
function macroF1Fell(
  { macroF1: mine }: Metrics,
  { macroF1: its, macroF1Interval: interval }: Metrics,
): string | undefined {
  if (!interval || mine >= interval[0]) return undefined;
  return `Its macro-F1 of ${percent(mine)} lies below the confidence interval of production’s, ${withInterval(its, interval)}.`;
}

/** So that production does not sink step by step, each of which is too small to be seen. */
function besideBest({ best, images }: Comparison, rules: PairedRules): Finding[] {
  if (!best) return [];
  const why = whyBestIsOut(best);
  if (why !== undefined) return [{ ...finding(true, why), isWarning: best.version !== undefined }];
  const answers = answersBesideBest(images ?? []);
  if (best.version === undefined || answers.length === 0) return [];
  const result = comparePairs(answers);
  return [judge(result, verdictSentence(result, nameOfBest(best.version), answers.length), rules)];
}

function judge(result: PairedResult, words: string, rules: PairedRules): Finding {
  const passed = passes(result, rules);
  return finding(passed, [words, reasonOf(result, passed, rules)].filter((part) => part !== '').join(' '));
}

/** Why a verdict lets a model pass, or not, where the verdict alone does not say so. */
function reasonOf({ verdict, difference, interval: [low] }: PairedResult, passed: boolean, rules: PairedRules): string {
  const { margin, whenUnsure } = rules;
  if (verdict === 'better') return '';
  if (low > -margin) {
    const most = Math.max(0, -100 * low).toFixed(1);
    return `It loses at most ${most} points, which the margin of ${Number((100 * margin).toFixed(2))} allows.`;
  }
  if (verdict === 'worse') return '';
  if (passed) return 'Its accuracy is not lower, which is enough (when-unsure: promote-if-not-lower).';
  const lower = difference < 0 ? 'Its accuracy is lower, so it' : 'It';
  return whenUnsure === 'wait'
    ? 'It waits until a person decides (when-unsure: wait).'
    : `${lower} stays out (when-unsure: promote-if-not-lower); with more test images more could be said.`;
}

function finding(passed: boolean, sentence: string): Finding {
  return { about: 'comparison', passed, sentence };
}
