import { LineSearch } from './line-search.ts';

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

/** Who receives for less than this ends before anything can be measured; the order of such matters little. */
const SHORT_MS = 1_000;

/**
 * Lets as few downloads receive at a time as it takes to use the line (`LineSearch`), the earliest first, and never more than
 * `most`: where one fills the line alone, the others would only make it late. Those that have to wait stop reading, and
 * their servers stop sending; nothing is aborted. A download that receives nothing (its server is asked, stalls, or is to be
 * tried again) is not counted, so the next may go on.
 */
export function createPace({ most, now }: { readonly most: number; readonly now: () => number }): Pace {
  const line = new Line(most, now);
  return {
    lane(rank) {
      const place = new Place(rank);
      return {
        get waited() {
          return place.waited;
        },
        received: (bytes) => line.received(place, bytes),
        leave: () => line.leave(place),
      };
    },
    tick: () => line.tick(),
  };
}

/** A download on the line, open or waiting. */
class Place {
  readonly rank: number;
  isPresent = false;
  isOpen = false;
  waited = false;
  /** Received since the last tick. */
  bytes = 0;
  /** Since when it is open, or waits. */
  since = 0;
  /** Open, but nothing came from one tick to the next: it does not use the line. */
  isSilent = false;
  /** For how long it was open before. */
  #openMs = 0;
  /** What it may read although it has to wait. */
  #sip = 0;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(rank: number) {
    this.rank = rank;
  }

  open(at: number): void {
    this.#turn(true, at);
    this.wake();
  }

  close(at: number): void {
    this.#openMs += at - this.since;
    this.#turn(false, at);
  }

  #turn(isOpen: boolean, at: number): void {
    [this.isOpen, this.since, this.isSilent, this.#sip] = [isOpen, at, false, 0];
  }

  /** For how long it has been open in all; only of one that is. */
  openMs(at: number): number {
    return this.#openMs + at - this.since;
  }

  /** What is to be waited for before more is read. */
  turn(bytes: number): Promise<void> | undefined {
    if (this.isOpen) return undefined;
    if (this.#sip > 0) {
      this.#sip -= bytes;
      return undefined;
    }
    this.waited = true;
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** Lets one that has waited for long read a little, so that its server does not hang up. */
  sip(at: number): void {
    this.since = at;
    this.#sip = SIP_BYTES;
    this.wake();
  }

  wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}

/** Who may receive: those that are first by rank, as many as the search allows. */
class Line {
  readonly #now: () => number;
  readonly #search: LineSearch;
  /** Whose bytes come, by rank. */
  readonly #places: Place[] = [];
  #last: number;
  /**
   * Whether what came since the last tick tells nothing about the line: at some time fewer received than may, or one was
   * let through, which has some megabytes at once that lay in the buffers of its connection.
   */
  #isUnclear = true;
  /** Since the last tick, a download has begun or ended. */
  #hasChanged = false;
  /** Received since the last tick by those that have left. */
  #gone = 0;

  constructor(most: number, now: () => number) {
    this.#now = now;
    this.#last = now();
    this.#search = new LineSearch({ most, at: this.#last });
  }

  received(place: Place, bytes: number): Promise<void> | undefined {
    place.bytes += bytes;
    if (!place.isPresent) this.#enter(place);
    else if (place.isSilent) {
      place.isSilent = false;
      this.#share();
    }
    return place.turn(bytes);
  }

  #enter(place: Place): void {
    place.isPresent = true;
    place.since = this.#now();
    const after = this.#places.findIndex(({ rank }) => rank > place.rank);
    this.#places.splice(after < 0 ? this.#places.length : after, 0, place);
    this.#hasChanged = true;
    this.#share();
  }

  leave(place: Place): void {
    if (!place.isPresent) return;
    place.isPresent = false;
    this.#places.splice(this.#places.indexOf(place), 1);
    this.#hasChanged = true;
    this.#gone += place.bytes;
    place.wake();
    const at = this.#now();
    if (place.isOpen && place.openMs(at) < SHORT_MS) this.#search.grow(at);
    this.#share();
  }

  tick(): void {
    const at = this.#now();
    for (const place of this.#places) {
      if (place.isOpen && place.since <= this.#last && place.bytes === 0) place.isSilent = true;
    }
    const open = this.#places.filter(({ isOpen }) => isOpen).length;
    if (!this.#hasChanged) this.#search.shrinkTo(Math.max(1, open));
    if (at > this.#last) {
      const isOneWaiting = open < this.#places.length;
      this.#search.step(this.#sample(at - this.#last), { before: this.#last, at, isOneWaiting });
    }
    [this.#last, this.#gone, this.#isUnclear, this.#hasChanged] = [at, 0, false, false];
    for (const place of this.#places) {
      place.bytes = 0;
      if (!place.isOpen && at - place.since >= LONGEST_PAUSE_MS) place.sip(at);
    }
    this.#share();
  }

  #sample(elapsed: number) {
    if (this.#isUnclear) return undefined;
    const bytes = this.#places.reduce((sum, place) => sum + place.bytes, this.#gone);
    const newcomer = this.#places.findLast(({ isOpen, isSilent }) => isOpen && !isSilent);
    return { rate: bytes / elapsed, newcomer: (newcomer?.bytes ?? 0) / elapsed };
  }

  #share(): void {
    let using = 0;
    for (const place of this.#places) {
      const mayReceive = using < this.#search.limit;
      if (mayReceive && !place.isOpen) {
        place.open(this.#now());
        this.#isUnclear = true;
      } else if (!mayReceive && place.isOpen) place.close(this.#now());
      if (place.isOpen && !place.isSilent) using++;
    }
    if (using < this.#search.limit) this.#isUnclear = true;
  }
}
