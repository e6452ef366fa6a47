/**
 * What chance does to two models that answer the same images. Only images that one has right and the other wrong tell
 * them apart: `lost`, which the older model alone had right, and `gained`, which the newer one alone has right.
 */

/**
 * The one-sided exact McNemar test: how probable so many or more lost images are when each image that tells two models
 * apart is as likely to be lost as gained. (Q. McNemar, Psychometrika 12 (1947) 153–157; exact by the binomial
 * distribution, as in A. Agresti, Categorical Data Analysis, 3rd edition 2013, section 11.1.)
 */
export function mcNemarP(lost: number, gained: number): number {
  return halfBinomialTail(lost + gained, lost);
}

/** The quantile of the normal distribution for intervals of 95 %. */
const Z = 1.959963984540054;

/**
 * The 95 % confidence interval of how much more of so many images the newer model has right, as a share. One image is added
 * to the gained and one to the lost, so that it holds where few differ, and has a width where none does. (D. G. Bonett and
 * R. M. Price, Journal of Educational and Behavioral Statistics 37 (2012) 479–488; among the intervals that M. W. Fagerland,
 * S. Lydersen and P. Laake, Statistics in Medicine 33 (2014) 2850–2875, recommend.)
 */
export function pairedInterval(lost: number, gained: number, images: number): readonly [number, number] {
  const [less, more] = [(lost + 1) / (images + 2), (gained + 1) / (images + 2)];
  const centre = more - less;
  const half = Z * Math.sqrt((more + less - centre ** 2) / (images + 2));
  return [Math.max(-1, centre - half), Math.min(1, centre + half)];
}

/**
 * Which of several hypotheses are rejected when the chance of rejecting any that is true shall be at most `level`: the
 * smallest p is compared with level / m, the next with level / (m − 1), until one is not small enough. (S. Holm,
 * Scandinavian Journal of Statistics 6 (1979) 65–70.)
 *
 * @returns in the order of `pValues`
 */
export function holmRejects(pValues: readonly number[], level: number): boolean[] {
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const firstKept = order.findIndex(({ p }, rank) => p > level / (order.length - rank));
  const rejected = new Set((firstKept < 0 ? order : order.slice(0, firstKept)).map(({ index }) => index));
  return pValues.map((_, index) => rejected.has(index));
}

/**
 * How probable it is that lost images outnumber gained ones by `difference` or more, of `images`, when each is lost with
 * the probability `rate` and gained with the same. (The number that tells the models apart is binomial, and given that
 * number so are the lost ones, with ½.)
 *
 * @param rate at most ½
 */
export function netLossP(images: number, difference: number, rate: number): number {
  let sum = 0;
  for (let differing = Math.max(difference, 0); differing <= images; differing++) {
    const weight = Math.exp(logBinomial(images, differing, 2 * rate));
    if (weight > NEGLIGIBLE) sum += weight * halfBinomialTail(differing, Math.ceil((differing + difference) / 2));
  }
  return Math.min(1, sum);
}

/**
 * How probable it is that one model has nothing right of so many images, and the other `right` or more, when each is lost
 * with the probability `rate`, and wrong for both with the probability `wrong`.
 */
export function nothingLeftP(images: number, right: number, rate: number, wrong: number): number {
  let sum = 0;
  for (let lost = right; lost <= images; lost++) {
    const logChoices = logFactorial(images) - logFactorial(lost) - logFactorial(images - lost);
    sum += Math.exp(logChoices + lost * Math.log(rate) + (images - lost) * Math.log(wrong));
  }
  return Math.min(1, sum);
}

/** Adds nothing to a probability that anybody decides by, and takes as long as what does. */
const NEGLIGIBLE = 1e-15;

/** P(X ≥ from) of a binomial X with probability ½. */
function halfBinomialTail(trials: number, from: number): number {
  let sum = 0;
  for (let count = Math.max(from, 0); count <= trials; count++) sum += Math.exp(logBinomial(trials, count, 0.5));
  return Math.min(1, sum);
}

/** The logarithm of P(X = count) of a binomial X: of large numbers, the probability itself is a product of 0 and ∞. */
function logBinomial(trials: number, count: number, probability: number): number {
  const hits = count === 0 ? 0 : count * Math.log(probability);
  const misses = count === trials ? 0 : (trials - count) * Math.log1p(-probability);
  return logFactorial(trials) - logFactorial(count) - logFactorial(trials - count) + hits + misses;
}

/** The logarithm of n!: by Stirling's series where that is exact to a double's last digits. */
function logFactorial(n: number): number {
  if (n < 20) return Math.log(Array.from({ length: n }, (_, index) => index + 1).reduce((a, b) => a * b, 1));
  return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5);
}
