import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPace, type Lane, TICK_MS } from '../../src/download/pace.ts';

const STEP_MS = 50;
const MEGABYTE = 1e6;

interface Simulated {
  readonly bytes: number;
  /** From the request to the first byte. */
  readonly latencyMs?: number;
  /** Whether the server sends nothing at the moment. */
  readonly stalls?: (ms: number) => boolean;
}

interface World {
  readonly most: number;
  readonly downloads: readonly Simulated[];
  /** What one of so many that receive gets, in bytes a second; `openMs`: for how long it has been receiving. */
  readonly rate: (receiving: number, facts: { readonly ms: number; readonly openMs: number }) => number;
  readonly forMs?: number;
}

interface Under {
  readonly rank: number;
  readonly lane: Lane;
  readonly firstMs: number;
  left: number;
  waits: boolean;
  openMs: number;
}

/** Downloads without a network: of each moment, who received something. */
async function simulate({ most, downloads, rate, forMs = 1_000_000 }: World) {
  let ms = 0;
  const pace = createPace({ most, now: () => ms });
  const moments: { readonly ms: number; readonly receiving: number[] }[] = [];
  const ends = new Map<number, number>();
  const coming = [...downloads.entries()];
  let underWay: Under[] = [];
  for (; ms < forMs && (coming.length > 0 || underWay.length > 0); ms += STEP_MS) {
    while (underWay.length < most) {
      const [rank, download] = coming.shift() ?? [];
      if (rank === undefined || !download) break;
      const firstMs = ms + (download.latencyMs ?? 0);
      underWay.push({ rank, lane: pace.lane(rank), firstMs, left: download.bytes, waits: false, openMs: 0 });
    }
    const receiving = underWay.filter(
      ({ rank, firstMs, waits }) => firstMs <= ms && !waits && downloads[rank]?.stalls?.(ms) !== true,
    );
    for (const one of receiving) {
      const bytes = Math.min(
        one.left,
        Math.ceil((rate(receiving.length, { ms, openMs: one.openMs }) * STEP_MS) / 1_000),
      );
      one.left -= bytes;
      one.openMs += STEP_MS;
      const turn = one.lane.received(bytes);
      if (turn && one.left > 0) {
        Object.assign(one, { waits: true, openMs: 0 });
        turn.then(() => Object.assign(one, { waits: false }));
      }
    }
    for (const { rank, lane, left } of underWay) {
      if (left > 0) continue;
      lane.leave();
      ends.set(rank, ms + STEP_MS);
    }
    underWay = underWay.filter(({ left }) => left > 0);
    moments.push({ ms, receiving: receiving.map(({ rank }) => rank) });
    if ((ms + STEP_MS) % TICK_MS === 0) pace.tick();
    await Promise.resolve();
  }
  /** The mean number of downloads that received, of the moments in which any did. */
  const meanBetween = (from: number, to: number) => {
    const busy = moments.filter((moment) => moment.ms >= from && moment.ms < to && moment.receiving.length > 0);
    return busy.reduce((sum, { receiving }) => sum + receiving.length, 0) / busy.length;
  };
  return { moments, ends, meanBetween, ms };
}

const SHARED = (receiving: number) => (40 * MEGABYTE) / receiving;
const INDEPENDENT = () => 5 * MEGABYTE;
const large = (count: number, more: Partial<Simulated> = {}): Simulated[] =>
  Array.from({ length: count }, () => ({ bytes: 1e12, ...more }));

describe('how many receive', () => {
  test('one, where it fills the line alone: they end one after another', async () => {
    const downloads = Array.from({ length: 10 }, () => ({ bytes: 100 * MEGABYTE, latencyMs: 100 }));
    const { ends, meanBetween } = await simulate({ most: 4, downloads, rate: SHARED });
    expect([...ends.keys()]).toEqual(downloads.map((_, rank) => rank));
    expect(ends.get(0)).toBeLessThanOrEqual(1.2 * 2_500);
    expect(ends.get(9)).toBeLessThanOrEqual(1.02 * 25_000);
    expect(meanBetween(3_000, 25_000)).toBeLessThan(1.1);
  });

  test('as many as may, where each connection has its own limit', async () => {
    const { meanBetween } = await simulate({ most: 4, downloads: large(6), rate: INDEPENDENT, forMs: 60_000 });
    expect(meanBetween(5_000, 60_000)).toBeGreaterThan(3.9);
  });

  test('as many as it takes, where some fill the line together', async () => {
    const rate = (receiving: number) => Math.min(10 * MEGABYTE, (20 * MEGABYTE) / receiving);
    const { meanBetween } = await simulate({ most: 8, downloads: large(8), rate, forMs: 60_000 });
    expect(meanBetween(10_000, 60_000)).toBeGreaterThan(1.8);
    expect(meanBetween(10_000, 60_000)).toBeLessThan(2.3);
  });

  test('as many as may, where a connection takes a while to become fast', async () => {
    const rate = (_: number, { openMs }: { openMs: number }) => 5 * MEGABYTE * Math.min(1, (openMs + STEP_MS) / 1_000);
    const { meanBetween } = await simulate({ most: 4, downloads: large(4), rate, forMs: 60_000 });
    expect(meanBetween(15_000, 60_000)).toBeGreaterThan(3.8);
  });

  test('another number when the line changes', async () => {
    const rate = (receiving: number, { ms }: { ms: number }) =>
      ms < 60_000 || ms > 160_000 ? INDEPENDENT() : SHARED(receiving);
    const { meanBetween } = await simulate({ most: 4, downloads: large(4), rate, forMs: 260_000 });
    expect(meanBetween(5_000, 60_000)).toBeGreaterThan(3.8);
    expect(meanBetween(100_000, 160_000)).toBeLessThan(1.2);
    expect(meanBetween(200_000, 260_000)).toBeGreaterThan(3.8);
  });

  test('one again, when many small ones were followed by few large ones', async () => {
    const small = Array.from({ length: 40 }, () => ({ bytes: MEGABYTE, latencyMs: 200 }));
    const { meanBetween, ms } = await simulate({
      most: 4,
      downloads: [...small, ...large(3)],
      rate: SHARED,
      forMs: 60_000,
    });
    expect(meanBetween(ms - 40_000, ms)).toBeLessThan(1.2);
  });
});

test.each([
  ['that come at once', 0.01 * MEGABYTE],
  ['that take a while', 4 * MEGABYTE],
])('small files %s from a distant server are not slower than without an order', async (_, bytes) => {
  const downloads = Array.from({ length: 200 }, () => ({ bytes, latencyMs: 300 }));
  const { ms } = await simulate({ most: 4, downloads, rate: INDEPENDENT });
  const alone = 300 + Math.ceil(bytes / 5_000 / STEP_MS) * STEP_MS;
  expect(ms).toBeLessThan(1.1 * (downloads.length / 4) * alone + 2_000);
});

describe('a download that receives nothing', () => {
  test('holds up nobody, and goes first again when it does', async () => {
    const [head] = large(1, { stalls: (ms) => ms > 10_000 && ms < 40_000 });
    if (!head) throw new Error('No download');
    const { moments } = await simulate({ most: 4, downloads: [head, ...large(3)], rate: SHARED, forMs: 60_000 });
    const during = moments.filter(({ ms }) => ms > 11_500 && ms < 40_000);
    expect(during.every(({ receiving }) => receiving[0] === 1)).toBe(true);
    const after = moments.filter(({ ms }) => ms > 40_000);
    expect(after.every(({ receiving }) => receiving[0] === 0)).toBe(true);
    expect(after.filter(({ receiving }) => receiving.length === 1).length).toBeGreaterThan(0.8 * after.length);
  });

  test('does not go first while its server is asked', async () => {
    const { moments } = await simulate({
      most: 4,
      downloads: [...large(1, { latencyMs: 5_000 }), ...large(3)],
      rate: SHARED,
      forMs: 20_000,
    });
    expect(moments[0]?.receiving).toContain(1);
    expect(moments.filter(({ ms }) => ms > 5_100).every(({ receiving }) => receiving[0] === 0)).toBe(true);
  });
});

test('who has to wait reads a little now and then', async () => {
  const { moments } = await simulate({ most: 4, downloads: large(4), rate: SHARED, forMs: 300_000 });
  for (const rank of [1, 2, 3]) {
    let [last, longest] = [0, 0];
    for (const { ms, receiving } of moments) {
      if (!receiving.includes(rank)) continue;
      longest = Math.max(longest, ms - last);
      last = ms;
    }
    expect(longest).toBeLessThanOrEqual(20_000 + 2 * TICK_MS);
    expect(last).toBeGreaterThan(270_000);
  }
});

test('whatever happens, the first that has begun may receive, and so may another where all before it are silent', async () => {
  const event = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('bytes'), rank: fc.nat(7), bytes: fc.nat(10_000_000) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('tick'), rank: fc.nat(7), bytes: fc.nat(0) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave'), rank: fc.nat(7), bytes: fc.nat(0) }) },
  );
  const history = fc.array(event, { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 }), history, async (most, events) => {
      let ms = 0;
      const pace = createPace({ most, now: () => ms });
      const lanes = new Map<number, Lane>();
      const waiting = new Set<number>();
      const receive = (rank: number, bytes: number) => {
        const lane = lanes.get(rank) ?? pace.lane(rank);
        lanes.set(rank, lane);
        const turn = lane.received(bytes);
        if (!turn) return;
        waiting.add(rank);
        turn.then(() => waiting.delete(rank));
      };
      for (const { kind, rank, bytes } of events) {
        ms += 100;
        if (kind === 'tick') pace.tick();
        else if (kind === 'leave') {
          lanes.get(rank)?.leave();
          lanes.delete(rank);
        } else if (!waiting.has(rank)) receive(rank, bytes);
        await Promise.resolve();
        if (lanes.size > 0) expect(waiting).not.toContain(Math.min(...lanes.keys()));
        expect([...waiting].every((one) => lanes.has(one))).toBe(true);
      }
      // Those that wait after everybody has been asked are more than may receive.
      for (let round = 0; round < 3; round++) {
        for (const rank of lanes.keys()) if (!waiting.has(rank)) receive(rank, 1_000_000);
        await Promise.resolve();
      }
      expect(lanes.size - waiting.size).toBeLessThanOrEqual(Math.max(1, most));
      // Nobody receives any more: one after another has to be let through.
      for (let tick = 0; tick < 20; tick++) {
        ms += TICK_MS;
        pace.tick();
        await Promise.resolve();
      }
      expect([...waiting]).toEqual([]);
    }),
  );
});
