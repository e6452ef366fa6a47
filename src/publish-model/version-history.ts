import type { VersionFacts } from './version-facts.ts';

/** What is in production, and since when; what is `undefined` is not known. */
export interface InProduction {
  readonly version: string | undefined;
  readonly since: Date | undefined;
}

/** A time in production. */
export interface Stay {
  readonly from: Date | undefined;
  /** `undefined` when it goes on, or when nobody has written down its end. */
  readonly until: Date | undefined;
  /** Whether a person, not the checks, has put the version there. */
  readonly byPerson: boolean;
}

/** A version with what its place among the others tells. */
export interface VersionHistory extends VersionFacts {
  readonly isInProduction: boolean;
  /** Earliest first; the last one goes on when `isInProduction`. */
  readonly stays: readonly Stay[];
}

/** A record may be missing where a run was killed after its promotion; then the folder’s own date counts. */
const DAY_MS = 86_400_000;

/** @returns oldest first; versions without a date come first of all */
export function historyOf(versions: readonly VersionFacts[], production: InProduction | undefined): VersionHistory[] {
  const promotions = versions.flatMap(({ record }) => record?.promotions ?? []);
  const endOf = (name: string, from: string) =>
    promotions
      .filter(({ replaced, time }) => replaced === name && time > from)
      .map(({ time }) => time)
      .sort()[0];
  const order = versions.toSorted(
    (a, b) => (a.stored?.getTime() ?? 0) - (b.stored?.getTime() ?? 0) || (a.name < b.name ? -1 : 1),
  );
  return order.map((facts) => {
    const isInProduction = production !== undefined && production.version === facts.name;
    const stays = (facts.record?.promotions ?? []).map(({ time, by }): Stay => {
      const end = endOf(facts.name, time);
      return { from: new Date(time), until: end === undefined ? undefined : new Date(end), byPerson: by === 'person' };
    });
    return { ...facts, isInProduction, stays: isInProduction ? withCurrent(stays, production.since) : stays };
  });
}

function withCurrent(stays: readonly Stay[], since: Date | undefined): readonly Stay[] {
  const last = stays.at(-1);
  const isKnown =
    last?.from !== undefined &&
    last.until === undefined &&
    (since === undefined || since.getTime() - last.from.getTime() <= DAY_MS);
  return isKnown ? stays : [...stays, { from: since, until: undefined, byPerson: false }];
}
