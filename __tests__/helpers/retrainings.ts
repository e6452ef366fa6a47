import { createRandom, type Random } from '../../scripts/sample/random.ts';
import type { ComparedImage } from '../../src/model/compared-images.ts';
import { pairedInterval } from '../../src/model/paired-tests.ts';
import { comparePairs, type PairedRules, passes } from '../../src/model/paired-verdict.ts';

/** The rules by default. */
export const DEFAULTS: PairedRules = { margin: 0.02, whenUnsure: 'promote-if-not-lower' };

/** How two models are tested. */
export interface Setting {
  readonly images: number;
  /** The share of images that one of two equally good models has right and the other wrong. Each then has 1 − this right. */
  readonly discordance: number;
}

/** One model after the other is trained, each compared with what is in production by then. */
export interface Retrainings extends Setting {
  readonly count: number;
  /** How much better each is truly than production, on average, and how much that varies: shares. */
  readonly step: { readonly mean: number; readonly spread: number };
  /** Whether each is tested on images of its own, or all on the same. */
  readonly freshImages: boolean;
  /** Whether the best version that ever was in production is asked, too. */
  readonly asksBest: boolean;
}

/** Twenty, each half a point worse than production on average, two points more or less. */
export const RETRAININGS = { count: 20, step: { mean: -0.005, spread: 0.02 } };

/** What an image is: easy for every model, or hard. The share of hard ones is twice the discordance. */
type Test = readonly boolean[];

interface Version {
  /** What it truly has right. */
  readonly accuracy: number;
  /** What it had right of the images of its own test, by which the best version is found. */
  readonly measured: number;
}

/** How probable it is that the interval holds the true difference: by going through all that can come out. */
export function coverage({ images, discordance }: Setting, difference: number): number {
  const [more, less] = [(discordance + difference) / 2, (discordance - difference) / 2];
  let sum = 0;
  for (let gained = 0; gained <= images; gained++) {
    for (let lost = 0; gained + lost <= images; lost++) {
      const [low, high] = pairedInterval(lost, gained, images);
      if (low <= difference && difference <= high) sum += trinomial(images, [gained, more], [lost, less]);
    }
  }
  return sum;
}

function trinomial(trials: number, [a, p]: readonly [number, number], [b, q]: readonly [number, number]): number {
  const power = (base: number, exponent: number) => (exponent === 0 ? 1 : base ** exponent);
  return choose(trials, a) * choose(trials - a, b) * power(p, a) * power(q, b) * power(1 - p - q, trials - a - b);
}

function choose(n: number, k: number): number {
  let ways = 1;
  for (let index = 1; index <= k; index++) ways *= (n - k + index) / index;
  return ways;
}

/** The share of candidates that are promoted which are truly better than production by so much. */
export function promotedShare({ images, discordance }: Setting, difference: number, runs: number): number {
  const random = createRandom(20_260);
  // What one of the two has right and the other wrong is as frequent as said, however much better one is.
  const [gained, lost] = [(discordance + difference) / 2, (discordance - difference) / 2];
  let promoted = 0;
  for (let run = 0; run < runs; run++) {
    const answers = Array.from({ length: images }, (_, index) => {
      const draw = random.between(0, 1);
      return image(index, draw >= lost, draw < lost || draw >= lost + gained);
    });
    if (passes(comparePairs(answers), DEFAULTS)) promoted++;
  }
  return promoted / runs;
}

/** How much better than at the beginning production truly is in the end, on average and in the worst twentieth. */
export function drift(setting: Retrainings, runs: number) {
  const random = createRandom(4_711);
  const drifts = Array.from({ length: runs }, () => oneLife(setting, random)).sort((a, b) => a - b);
  const mean = drifts.reduce((sum, one) => sum + one, 0) / runs;
  return { mean, worstTwentieth: drifts[Math.floor(runs / 20)] ?? 0 };
}

function oneLife({ images, discordance, count, step, freshImages, asksBest }: Retrainings, random: Random): number {
  const draw = (): Test => Array.from({ length: images }, () => random.chance(2 * discordance));
  const answer = (test: Test, accuracy: number) => {
    const right = Math.min(1, Math.max(0, 1 - (1 - accuracy) / (2 * discordance)));
    return test.map((isHard) => !isHard || random.chance(right));
  };
  const start = 1 - discordance;
  let test = draw();
  // On new images, the answers of a version are drawn; on the same ones, it answers as before.
  const said = new Map<Version, boolean[]>();
  const enter = (accuracy: number): Version => {
    const answers = answer(test, accuracy);
    const version = { accuracy, measured: shareOf(answers) };
    said.set(version, answers);
    return version;
  };
  const answersOf = (version: Version) => (freshImages ? answer(test, version.accuracy) : (said.get(version) ?? []));
  let production = enter(start);
  const ever = [production];
  for (let round = 0; round < count; round++) {
    if (freshImages) test = draw();
    const candidate = enter(Math.min(1, production.accuracy + step.mean + step.spread * random.normal()));
    const mine = said.get(candidate) ?? [];
    const stands = (other: Version) => passes(comparePairs(pair(mine, answersOf(other))), DEFAULTS);
    const best = ever.reduce((a, b) => (b.measured > a.measured ? b : a));
    const isAsked = asksBest && best.measured > production.measured;
    if (!stands(production) || (isAsked && !stands(best))) continue;
    production = candidate;
    ever.push(candidate);
  }
  return production.accuracy - start;
}

function shareOf(answers: readonly boolean[]): number {
  return answers.filter(Boolean).length / answers.length;
}

function pair(candidate: readonly boolean[], production: readonly boolean[]): ComparedImage[] {
  return candidate.map((mine, index) => image(index, mine, production[index] ?? false));
}

function image(index: number, candidate: boolean, production: boolean): ComparedImage {
  const say = (isRight: boolean) => (isRight ? 'a' : 'b');
  return {
    path: `test/a/${index}.png`,
    sha256: '',
    label: 'a',
    candidate: say(candidate),
    production: say(production),
  };
}
