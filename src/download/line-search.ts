const STEADY = 1.2;
/** A rate is a mean of so many ticks: bytes come in bursts, and more so from a distant server or to a busy processor. */
const RATE_TICKS = 2;
/** Until a connection is as fast as it gets takes some round trips: it is judged after so many ticks at the latest. */
const MORE_TICKS = 6;
/** Earlier when it has so much of its share: had it not taken that from the others, there would be more. */
const ARRIVED = 0.7;
const FEWER_TICKS = 4;
/** A trial that can’t be judged, because downloads end and begin all the time, is given up after so many. */
const TRIAL_TICKS = 16;

/** Between two trials; doubles with each that changes nothing. Milliseconds. */
const FIRST_REST_MS = 4_000;
const LONGEST_REST_MS = 30_000;

/** What came from one tick to the next, in bytes a millisecond. */
export interface Sample {
  readonly rate: number;
  /** To the one that may receive now and could not before. */
  readonly newcomer: number;
}

/** Times of the clock, in milliseconds. */
export interface Tick {
  readonly before: number;
  readonly at: number;
  /** Whether one waits that could be let through. */
  readonly isOneWaiting: boolean;
}

/** One download more or fewer than `from`, to see what it does to `rate`. */
interface Trial {
  readonly from: number;
  readonly rate: number;
  readonly newcomer: number[];
  ticks: number;
}

/**
 * Looks for the smallest number of downloads that use the line. It begins with one. While one more raises the rate by at
 * least half of what it would if it did not share with the others, there is one more; then, and now and again, it tries
 * whether one fewer will do.
 */
export class LineSearch {
  readonly #most: number;
  #limit = 1;
  /** Of the clear ticks since another number may receive. */
  #rates: number[] = [];
  #trial: Trial | undefined;
  #nextTrial: number;
  #rest = FIRST_REST_MS;

  constructor({ most, at }: { readonly most: number; readonly at: number }) {
    this.#most = most;
    this.#nextTrial = at;
  }

  /** How many may receive now. */
  get limit(): number {
    return this.#limit;
  }

  /** Fewer are left than may receive: one fewer of these may do, too. */
  shrinkTo(left: number): void {
    if (!this.#trial && left < this.#limit) this.#allow(left);
  }

  /** One has ended before anything could be measured: there may be one more. */
  grow(at: number): void {
    this.#allow(Math.min(this.#most, (this.#trial?.from ?? this.#limit) + 1));
    this.#trial = undefined;
    this.#nextTrial = at;
  }

  /** @param sample `undefined` when what came tells nothing about the line */
  step(sample: Sample | undefined, tick: Tick): void {
    if (sample) {
      this.#rates = [...this.#rates.slice(-MORE_TICKS), sample.rate];
      this.#trial?.newcomer.push(sample.newcomer);
    }
    const trial = this.#trial;
    if (!trial) {
      if (tick.before >= this.#nextTrial && isSteady(this.#rates)) this.#tryMore(mean(this.#rates), tick);
    } else if (++trial.ticks > TRIAL_TICKS) this.#giveUp(trial, tick);
    else if (sample && this.#limit > trial.from) this.#judgeMore(trial, tick);
    else if (sample) this.#judgeFewer(trial, tick);
  }

  #judgeMore({ from, rate, newcomer }: Trial, tick: Tick): void {
    const found = mean(this.#rates);
    const gains = found - rate >= enough(rate, from);
    if (gains && this.#isSure()) {
      this.#rest = FIRST_REST_MS;
      this.#tryMore(found, tick);
    } else if (!gains && (mean(newcomer) >= (ARRIVED * found) / this.#limit || this.#rates.length >= MORE_TICKS)) {
      // What the newcomer has, the others lack.
      this.#allow(from);
      this.#tryFewer(rate, tick);
    }
  }

  #judgeFewer(trial: Trial, tick: Tick): void {
    const found = mean(this.#rates);
    if (this.#isSure() && found - trial.rate >= -enough(trial.rate, trial.from)) {
      this.#rest = FIRST_REST_MS;
      this.#tryFewer(found, tick);
    } else if (this.#rates.length >= FEWER_TICKS) this.#giveUp(trial, tick);
  }

  /** More comes first: a line that is not used costs more than a wrong order. */
  #tryMore(rate: number, tick: Tick): void {
    if (this.#limit < this.#most && tick.isOneWaiting) this.#try(this.#limit + 1, rate);
    else this.#tryFewer(rate, tick);
  }

  #tryFewer(rate: number, tick: Tick): void {
    if (this.#limit > 1) this.#try(this.#limit - 1, rate);
    else this.#endTrials(tick);
  }

  #try(number: number, rate: number): void {
    this.#trial = { from: this.#limit, rate, newcomer: [], ticks: 0 };
    this.#allow(number);
  }

  #giveUp({ from }: Trial, tick: Tick): void {
    this.#allow(from);
    this.#endTrials(tick);
  }

  #endTrials({ at }: Tick): void {
    this.#trial = undefined;
    this.#nextTrial = at + this.#rest;
    this.#rest = Math.min(LONGEST_REST_MS, 2 * this.#rest);
  }

  #allow(number: number): void {
    this.#limit = number;
    this.#rates = [];
  }

  #isSure(): boolean {
    return this.#rates.length >= RATE_TICKS;
  }
}

/** Half of what one more brings that does not share with the others. */
function enough(rate: number, downloads: number): number {
  return rate / downloads / 2;
}

/** Whether the rate is known and does not rise any more: what still grows by itself would be taken for a gain. */
function isSteady(rates: readonly number[]): boolean {
  const [before, now] = rates.slice(-2);
  return before !== undefined && now !== undefined && now <= STEADY * before;
}

/** Of the latest; 0 of none. */
function mean(rates: readonly number[]): number {
  const latest = rates.slice(-RATE_TICKS);
  return latest.reduce((sum, rate) => sum + rate, 0) / Math.max(1, latest.length);
}
