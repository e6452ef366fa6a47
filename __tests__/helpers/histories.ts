import fc from 'fast-check';
import { createKnownImages } from '../../src/dataset/known-images.ts';
import { type NTest, testQuota } from '../../src/dataset/n-test.ts';
import type { PlanOptions } from '../../src/dataset/plan-types.ts';
import { formatSides, type KnownImage, parseSides } from '../../src/dataset/sides.ts';
import { createSidesUpdate } from '../../src/dataset/sides-update.ts';
import type { Split } from '../../src/dataset/split.ts';
import { DiatomError } from '../../src/errors.ts';
import { count, type FakeImage, type FakeSource, type Plan, percent, plan } from './plan-sources.ts';

/** What the zips of a month hold, and with which options it is run. */
interface World {
  readonly sources: readonly FakeSource[];
  readonly options: Pick<PlanOptions, 'groupBy' | 'duplicates'>;
  /** Images that were deleted, and may return. */
  readonly gone: readonly (FakeImage & { readonly label: string })[];
}

type Picks = readonly [number, number, number];
type Step = (world: World, picks: Picks) => World;

const LABELS = ['Achnanthes', 'Gomphonema', 'Hannaea'];
const GROUPINGS = [undefined, /^s\d+/u, /^s\d+_[a-c]/u];
const COUNTS: readonly NTest[] = [count(0), count(3), count(10), percent(10), percent(20), percent(35)];

/** So many images have prints of their own; others agree with one of these in CRC-32 and size, and in nothing else. */
const PRINTS = 2_000;

/** Any image; its specimen and part show in its name. */
function newImage(content: number): FakeImage {
  const [specimen, part] = [Math.floor(content / 3) % 40, 'abc'[content % 3]];
  return { path: `s${specimen}_${part}_${content}.png`, content, crc32: content % PRINTS, bytes: 100 };
}

function at<T>(items: readonly T[], pick: number): T {
  for (const item of items.slice(pick % items.length)) return item;
  throw new Error('Nothing to pick from');
}

const change = (world: World, place: number, to: Partial<FakeSource>): World => ({
  ...world,
  sources: world.sources.map((source, index) =>
    index === place % world.sources.length ? { ...source, ...to } : source,
  ),
});

const images = (world: World, place: number) => at(world.sources, place).images;

/** One path once in a zip, and in code-point order, as zips are read. */
function inOrder(all: readonly FakeImage[]): FakeImage[] {
  const paths = new Map(all.map((image) => [image.path, image]));
  return [...paths.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

const STEPS: Readonly<Record<string, Step>> = {
  nothing: (world) => world,
  add: (world, [place, from, number]) => {
    const more = Array.from({ length: 1 + (number % 12) }, (_, index) => newImage((from + index) % (PRINTS + 200)));
    return change(world, place, { images: inOrder([...images(world, place), ...more]) });
  },
  delete: (world, [place, from, number]) => {
    const [all, start] = [images(world, place), from % 40];
    const out = all.slice(start, start + 1 + (number % 12));
    const rest = all.filter((image) => !out.includes(image));
    const { label } = at(world.sources, place);
    const gone = [...world.gone, ...out.map((image) => ({ ...image, label }))];
    return { ...change(world, place, { images: rest }), gone };
  },
  return: (world, [place, from, number]) => {
    if (world.gone.length === 0) return world;
    const back = world.gone.slice(from % world.gone.length).slice(0, 1 + (number % 12));
    return change(world, place, { images: inOrder([...images(world, place), ...back]) });
  },
  regrow: (world, [which, zip, number]) => {
    if (world.gone.length === 0) return world;
    const { content, label } = at(world.gone, which);
    const place = world.sources.findIndex(
      (source, index) => index >= zip % world.sources.length && source.label === label,
    );
    if (place < 0) return world;
    // Of the same specimen.
    const more = Array.from({ length: 1 + (number % 6) }, (_, index) => newImage(content + 120 * (index + 1)));
    return change(world, place, { images: inOrder([...images(world, place), ...more]) });
  },
  lookAlikes: (world, [a, b, content]) => {
    const one = change(world, a, { images: inOrder([...images(world, a), newImage(content % PRINTS)]) });
    return change(one, b, { images: inOrder([...images(one, b), newImage((content % PRINTS) + PRINTS)]) });
  },
  rename: (world, [place, from, specimen]) => {
    const renamed = images(world, place).map((image, index) =>
      index % 7 === from % 7 ? { ...image, path: `s${specimen % 40}_a_r${image.content}.png` } : image,
    );
    return change(world, place, { images: inOrder(renamed) });
  },
  renameZip: (world, [place, name]) => change(world, place, { zipName: `renamed-${name}.zip` }),
  relabelZip: (world, [place, label]) => change(world, place, { label: at(LABELS, label) }),
  relabelImages: (world, [from, to, pick]) => {
    const some = images(world, from).filter((_, index) => index % 11 === pick % 11);
    const without = change(world, from, { images: images(world, from).filter((image) => !some.includes(image)) });
    return change(without, to, { images: inOrder([...images(without, to), ...some]) });
  },
  copy: (world, [from, to, pick]) => {
    const some = images(world, from).filter((_, index) => index % 13 === pick % 13);
    const copies = some.map((image) => ({ ...image, path: image.path.replace(/(_copy)?\.png$/, '_copy.png') }));
    return change(world, to, { images: inOrder([...images(world, to), ...copies]) });
  },
  splitZip: (world, [place, where, name]) => {
    const all = images(world, place);
    const [first, second] = [all.filter((_, i) => i % 3 !== where % 3), all.filter((_, i) => i % 3 === where % 3)];
    const part = { ...at(world.sources, place), zipName: `part-${name}.zip`, images: second };
    const kept = change(world, place, { images: first });
    return { ...kept, sources: [...kept.sources, part] };
  },
  mergeZips: (world, [a, b]) => {
    const [into, from] = [a % world.sources.length, b % world.sources.length];
    if (into === from) return world;
    const merged = change(world, into, { images: inOrder([...images(world, into), ...images(world, from)]) });
    return { ...merged, sources: merged.sources.filter((_, index) => index !== from) };
  },
  nTest: (world, [place, n]) => change(world, place, { nTest: at(COUNTS, n) }),
  groupBy: (world, [grouping]) => ({ ...world, options: { ...world.options, groupBy: at(GROUPINGS, grouping) } }),
  duplicates: (world, [drop]) => ({
    ...world,
    options: { ...world.options, duplicates: drop % 2 === 0 ? 'drop' : 'keep-together' },
  }),
};

const anyPicks = fc.tuple(fc.nat(PRINTS + 200), fc.nat(PRINTS + 200), fc.nat(PRINTS + 200));

/** What happens in each month of a history: none to three things. */
const anyHistory = fc.record({
  grouping: fc.nat(2),
  months: fc.array(fc.array(fc.tuple(fc.constantFrom(...Object.keys(STEPS)), anyPicks), { maxLength: 3 }), {
    minLength: 3,
    maxLength: 8,
  }),
});

type History = typeof anyHistory extends fc.Arbitrary<infer T> ? T : never;

/** What the months of histories came to. */
interface Seen {
  months: number;
  refused: number;
  moved: number;
  returned: number;
  exact: number;
}

/** @throws when one of them comes to what must not be */
export function liveThroughMany(histories: number): Seen {
  const seen = { months: 0, refused: 0, moved: 0, returned: 0, exact: 0 };
  fc.assert(
    fc.property(anyHistory, (history) => liveThrough(history, seen)),
    { numRuns: histories },
  );
  return seen;
}

/**
 * Lives through a history, month after month, each with the sides file of the one before, and checks what has become of
 * every image against what is written down here, not in the product. A month that is refused is taken back.
 */
function liveThrough({ grouping, months }: History, seen: Seen): void {
  const first = LABELS.map((label, index): FakeSource => {
    const all = Array.from({ length: 45 }, (_, number) => newImage(index * 60 + number));
    return { zipName: `${label}.zip`, label, folder: '', nTest: percent(20), images: inOrder(all) };
  });
  let world: World = {
    sources: first,
    options: { groupBy: at(GROUPINGS, grouping), duplicates: 'keep-together' },
    gone: [],
  };
  const ledger = createLedger();
  let sides = formatSides([]);
  [[], ...months].forEach((steps, month) => {
    const next = steps.reduce((before, [name, picks]) => STEPS[name]?.(before, picks) ?? before, world);
    const known = parseSides(sides, 'sides.csv');
    const options = { ...next.options, split: 'keep', seed: `month-${month}`, labelConflicts: 'warn' } as const;
    const planned = orRefused(() => plan(next.sources, options, known));
    seen.months++;
    if (planned === undefined) {
      ledger.requireReason(next);
      seen.refused++;
      return;
    }
    ledger.check(next, planned, seen);
    world = next;
    sides = sidesAfter(known, planned, next);
  });
}

function orRefused(run: () => Plan): Plan | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof DiatomError && (error.code === 'DATA_SET' || /^Input group-by:/.test(error.message))) {
      return undefined;
    }
    throw error;
  }
}

function sidesAfter(known: readonly KnownImage[], planned: Plan, world: World): string {
  const update = createSidesUpdate(createKnownImages(known), { isGrouped: world.options.groupBy !== undefined });
  const rows = planned.images.flatMap(({ image: { content, crc32, bytes }, split: side, group, label }) => {
    const sha256 = (0x1000 + content).toString(16).padEnd(64, '0');
    return update.add({ sha256, crc32, bytes, side, group, label });
  });
  return formatSides([...rows, ...update.rest()]);
}

/** What is known of an image, by its print: the side that it was on last, and the group. */
interface LastSeen {
  side: Split;
  group: string | undefined;
}

function createLedger() {
  const records = new Map<number, LastSeen>();
  const gone = new Set<number>();

  /** The images that belong together, by walking from one to the next. */
  function components(world: World) {
    const { groupBy } = world.options;
    const members = world.sources.flatMap(({ images, label }, source) =>
      images.map((image) => {
        const key = groupBy?.exec(image.path)?.[0];
        return { image, source, label, print: image.crc32, group: key === undefined ? undefined : `${label}/${key}` };
      }),
    );
    const byName = new Map<string, typeof members>();
    const namesOf = ({ print, group }: (typeof members)[number]) => [
      `print ${print}`,
      ...(group === undefined ? [] : [`group ${group}`]),
    ];
    for (const member of members) {
      for (const name of namesOf(member)) byName.set(name, [...(byName.get(name) ?? []), member]);
    }
    const here = new Set(members.map(({ print }) => print));
    const gone = new Map<string, Split[]>();
    for (const [print, { side, group }] of groupBy ? records : []) {
      if (group !== undefined && !here.has(print))
        gone.set(`group ${group}`, [...(gone.get(`group ${group}`) ?? []), side]);
    }
    const left = new Set(members);
    return members.flatMap((member) => {
      if (!left.delete(member)) return [];
      const [component, names] = [[member], new Set<string>()];
      for (const one of component) {
        for (const name of namesOf(one)) {
          if (names.has(name)) continue;
          names.add(name);
          for (const other of byName.get(name) ?? []) if (left.delete(other)) component.push(other);
        }
      }
      const ofImages = component.map(({ print }) => records.get(print)?.side);
      const sides = new Set([...ofImages, ...Array.from(names).flatMap((name) => gone.get(name) ?? [])]);
      const side: Split | undefined = sides.has('test') ? 'test' : sides.has('train') ? 'train' : undefined;
      return [{ component, side }];
    });
  }

  /** Of zips in which nothing that is new belongs to anything else, the number is exact. */
  function checkSizes(world: World, all: ReturnType<typeof components>, planned: Plan, seen: Seen): void {
    world.sources.forEach(({ nTest }, source) => {
      const own = all.filter(({ component }) => component.some((member) => member.source === source));
      const isPlain = own.every(({ component, side }) => side !== undefined || component.length === 1);
      if (!isPlain) return;
      const images = planned.images.filter((of) => of.source === source);
      const inTest = images.filter(({ split }) => split === 'test').length;
      const known = own.reduce((sum, { component, side }) => {
        return side === 'test' ? sum + component.filter((member) => member.source === source).length : sum;
      }, 0);
      const fresh = own.filter(({ side }) => side === undefined).length;
      // What is dropped as a copy is known, or else belongs to something.
      const isDropping =
        world.options.duplicates === 'drop' && images.length < (world.sources[source]?.images.length ?? 0);
      if (isDropping) return;
      const expected = Math.max(known, Math.min(testQuota(nTest, images.length), known + fresh));
      if (inTest !== expected) throw new Error(`${inTest} images of zip ${source} are in test instead of ${expected}`);
      seen.exact++;
    });
  }

  return {
    check(world: World, planned: Plan, seen: Seen): void {
      const splits = new Map(planned.images.map((of) => [`${of.source} ${of.image.path}`, of.split]));
      const present = new Set(records.keys());
      const all = components(world);
      for (const { component, side } of all) {
        const now = new Set(component.flatMap(({ source, image }) => splits.get(`${source} ${image.path}`) ?? []));
        if (now.size !== 1) throw new Error(`What belongs together is on both sides: ${JSON.stringify(component)}`);
        for (const { print, image } of component) {
          const before = records.get(print)?.side;
          if (before === 'test' && !now.has('test')) throw new Error(`From test to train: ${image.path}`);
          if (before === 'train' && now.has('test') && side !== 'test') throw new Error(`Moved: ${image.path}`);
          if (before === 'train' && now.has('test')) seen.moved++;
        }
        if (side !== undefined && !now.has(side)) throw new Error(`Not on the side of those that it belongs to`);
      }
      checkSizes(world, all, planned, seen);
      for (const { component } of all) {
        for (const { print, source, image, group } of component) {
          const side = splits.get(`${source} ${image.path}`);
          if (!side) continue;
          present.delete(print);
          if (gone.delete(print)) seen.returned++;
          records.set(print, { side, group: world.options.groupBy ? group : records.get(print)?.group });
        }
      }
      for (const print of present) gone.add(print);
    },

    /** A month may be refused for nothing but classes without training, and moves of more than a tenth of one. */
    requireReason(world: World): void {
      const { groupBy, duplicates } = world.options;
      const labels = new Set(world.sources.map(({ label }) => label));
      const classes = new Map([...labels].map((label) => [label, { train: 0, moved: 0, open: 0, named: 0 }]));
      for (const { component, side } of components(world)) {
        for (const { label, print, group } of component) {
          const ofClass = classes.get(label);
          if (!ofClass) continue;
          if (group !== undefined) ofClass.named++;
          const before = records.get(print)?.side;
          if (before === 'train') ofClass.train++;
          if (before === 'train' && side === 'test') ofClass.moved++;
          if (side !== 'test') ofClass.open++;
        }
      }
      const isReason = [...classes.values()].some(({ train, moved, open, named }) => {
        // Dropped copies count in neither.
        const isMuch = moved > train / 10 || (duplicates === 'drop' && moved > 0);
        // Few that are new can all be drawn for test.
        return isMuch || open < 25 || (groupBy !== undefined && named === 0);
      });
      if (!isReason) throw new Error('A month was refused without reason');
    },
  };
}
