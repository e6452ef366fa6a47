/** How often `Pace.tick` wants to be called. */
export const TICK_MS = 250;

/** How the downloads that are under way at a time share the line. Pure, except for the clock that it is given. */
export interface Pace {
  /** A place on the line for one answer of a server; of those that have begun, the lower `rank` goes first. */
  lane(rank: number): Lane;
  /** Looks at what has come since the last time, and decides again. */
  tick(): void;
}

export interface Lane {
  /** Tells that so many bytes have come. A promise: nothing more is to be read before it resolves. */
  received(bytes: number): Promise<void> | undefined;
  /** The answer has ended, or broken off. */
  leave(): void;
  /** Whether it ever had to wait: a server may take that for a reader who is gone. */
  readonly waited: boolean;
}

/** Nginx and Apache hang up on who has read nothing for 60 s: so whoever waits reads a little now and then. */
const LONGEST_PAUSE_MS = 20_000;
/** Enough, in three pauses, to make room in the largest buffers that a server’s side usually has (4 MB, a third free). */
const SIP_BYTES = 512 * 1_024;

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

/** Between two trials; doubles with each that changes nothing. */
const FIRST_REST_MS = 4_000;
const LONGEST_REST_MS = 30_000;

/** Who receives for less than this ends before anything can be measured; the order of such matters little. */
const SHORT_MS = 1_000;

interface Place {
  readonly rank: number;
  /** Since the last tick. */
  bytes: number;
  open: boolean;
  /** Since when it is open, or waits. */
  since: number;
  /** For how long it was open before. */
  openMs: number;
  /** Open, but nothing came from one tick to the next: it does not use the line. */
  silent: boolean;
  /** What it may read although it has to wait. */
  sip: number;
  waiting: PromiseWithResolvers<void> | undefined;
}

/** One download more or fewer than `from`, to see what it does to `rate`. */
interface Trial {
  readonly from: number;
  readonly rate: number;
  ticks: number;
  /** Of each tick, what came to the one that may receive now and could not before. */
  readonly newcomer: number[];
}

/**
 * Lets as few downloads receive at a time as it takes to use the line, the earliest first, and never more than `most`:
 * where one fills the line alone, the others would only make it late. Those that have to wait stop reading, and their
 * servers stop sending; nothing is aborted.
 *
 * It begins with one. While one more raises the rate by at least half of what it would if it did not share with the
 * others, there is one more; then, and now and again, it tries whether one fewer will do. A download that receives
 * nothing (its server is asked, stalls, or is to be tried again) is not counted, so the next may go on.
 */
export function createPace({ most, now }: { readonly most: number; readonly now: () => number }): Pace {
  /** Whose bytes come, by rank. */
  const places: Place[] = [];
  let limit = 1;
  let last = now();
  /**
   * Whether what came since the last tick tells nothing about the line: at some time fewer received than may, or one was
   * let through, which has some megabytes at once that lay in the buffers of its connection.
   */
  let unclear = true;
  /** Since the last tick, a download has begun or ended. */
  let changed = false;
  /** Received since the last tick by those that have left. */
  let gone = 0;
  /** In bytes a millisecond, of the clear ticks since another number may receive. */
  let rates: number[] = [];
  let trial: Trial | undefined;
  let nextTrial = last;
  let rest = FIRST_REST_MS;

  function share(): void {
    let using = 0;
    for (const place of places) {
      setOpen(place, using < limit);
      if (place.open && !place.silent) using++;
    }
    if (using < limit) unclear = true;
  }

  function setOpen(place: Place, open: boolean): void {
    if (place.open === open) return;
    if (place.open) place.openMs += now() - place.since;
    place.open = open;
    place.since = now();
    place.silent = false;
    place.sip = 0;
    if (!open) return;
    unclear = true;
    wake(place);
  }

  function allow(number: number): void {
    limit = number;
    rates = [];
  }

  function tryOther(number: number, rate: number): void {
    trial = { from: limit, rate, ticks: 0, newcomer: [] };
    allow(number);
  }

  function tryFewer(rate: number): void {
    if (limit > 1) tryOther(limit - 1, rate);
    else endTrials();
  }

  /** More comes first: a line that is not used costs more than a wrong order. */
  function tryMore(rate: number): void {
    if (limit < most && places.some(({ open }) => !open)) tryOther(limit + 1, rate);
    else tryFewer(rate);
  }

  function endTrials(): void {
    trial = undefined;
    nextTrial = now() + rest;
    rest = Math.min(LONGEST_REST_MS, 2 * rest);
  }

  function judge({ from, rate, newcomer }: Trial): void {
    const enough = rate / from / 2;
    const gain = mean(rates) - rate;
    const isSure = rates.length >= RATE_TICKS;
    if (limit > from) {
      if (isSure && gain >= enough) {
        rest = FIRST_REST_MS;
        tryMore(mean(rates));
      } else if (gain < enough && (mean(newcomer) >= (ARRIVED * mean(rates)) / limit || rates.length >= MORE_TICKS)) {
        // What the newcomer has, the others lack.
        allow(from);
        tryFewer(rate);
      }
    } else if (isSure && gain >= -enough) {
      rest = FIRST_REST_MS;
      tryFewer(mean(rates));
    } else if (rates.length >= FEWER_TICKS) {
      allow(from);
      endTrials();
    }
  }

  function decide(elapsed: number): void {
    if (!unclear) {
      const bytes = places.reduce((sum, place) => sum + place.bytes, gone);
      rates = [...rates.slice(-MORE_TICKS), bytes / elapsed];
      const newcomer = places.findLast(({ open, silent }) => open && !silent);
      trial?.newcomer.push((newcomer?.bytes ?? 0) / elapsed);
    }
    if (trial && ++trial.ticks > TRIAL_TICKS) {
      allow(trial.from);
      endTrials();
    } else if (trial) {
      if (!unclear) judge(trial);
    } else if (last >= nextTrial && isSteady(rates)) tryMore(mean(rates));
  }

  return {
    lane(rank) {
      const place: Place = {
        rank,
        bytes: 0,
        open: false,
        since: 0,
        openMs: 0,
        silent: false,
        sip: 0,
        waiting: undefined,
      };
      let [present, waited] = [false, false];
      return {
        get waited() {
          return waited;
        },
        received(bytes) {
          place.bytes += bytes;
          if (!present) {
            [present, changed] = [true, true];
            place.since = now();
            const after = places.findIndex((other) => other.rank > rank);
            places.splice(after < 0 ? places.length : after, 0, place);
            share();
          } else if (place.silent) {
            place.silent = false;
            share();
          }
          if (place.open) return undefined;
          if (place.sip > 0) {
            place.sip -= bytes;
            return undefined;
          }
          waited = true;
          place.waiting ??= Promise.withResolvers();
          return place.waiting.promise;
        },
        leave() {
          if (!present) return;
          [present, changed] = [false, true];
          places.splice(places.indexOf(place), 1);
          gone += place.bytes;
          wake(place);
          if (place.open && place.openMs + now() - place.since < SHORT_MS) {
            allow(Math.min(most, (trial?.from ?? limit) + 1));
            trial = undefined;
            nextTrial = now();
          }
          share();
        },
      };
    },
    tick() {
      const at = now();
      for (const place of places) {
        if (place.open && place.since <= last && place.bytes === 0) place.silent = true;
      }
      // At the end of a list fewer are left than may receive: one fewer of these may do, too.
      const left = Math.max(1, places.filter(({ open }) => open).length);
      if (!changed && !trial && left < limit) allow(left);
      if (at > last) decide(at - last);
      last = at;
      gone = 0;
      unclear = false;
      changed = false;
      for (const place of places) {
        place.bytes = 0;
        if (place.open || at - place.since < LONGEST_PAUSE_MS) continue;
        place.since = at;
        place.sip = SIP_BYTES;
        wake(place);
      }
      share();
    },
  };
}

function wake(place: Place): void {
  place.waiting?.resolve();
  place.waiting = undefined;
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
