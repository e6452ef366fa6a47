import { expect, test } from 'vitest';
import { parseMetrics } from '../../src/model/metrics.ts';
import type { VersionFacts } from '../../src/publish-model/version-facts.ts';
import type { InProduction } from '../../src/publish-model/version-history.ts';
import type { Judgement, PromotionRecord } from '../../src/publish-model/version-record.ts';
import { versionsHtml } from '../../src/publish-model/versions-page.ts';
import { metrics } from '../helpers/model.ts';

interface Fate {
  readonly judged?: Partial<Judgement>;
  readonly promotions?: readonly PromotionRecord[];
}

/** What a version of the month given says about itself. */
function version(month: number, fate: Fate = {}, changes: Partial<VersionFacts> = {}): VersionFacts {
  const time = `2026-${String(month).padStart(2, '0')}-01T03:17:00Z`;
  const judged: Judgement = {
    ...{ time, passed: true, reasons: [], gate: '', production: null },
    ...{ no_worse_than_production: true, worse_classes: 'error', allow_class_change: false },
    ...fate.judged,
  };
  return {
    name: `v${month}`,
    stored: new Date(time),
    dataset: `set-${month}.zip`,
    metrics: parseMetrics(JSON.stringify(metrics()), 'metrics.json'),
    record: { format: 1, stored: time, judged, promotions: [...(fate.promotions ?? [])] },
    isVersion: true,
    faults: [],
    ...changes,
  };
}

function promoted(month: number, replaced: string | null, by: PromotionRecord['by'] = 'checks'): PromotionRecord {
  return { time: `2026-${String(month).padStart(2, '0')}-01T03:20:00Z`, by, replaced };
}

function page(versions: readonly VersionFacts[], production?: InProduction, unread: readonly string[] = []): string {
  return versionsHtml({ modelName: 'diatoms', versions, production, unread });
}

/** What a person reads in the row of a version, with one space between words. */
function rowOf(html: string, name: string): string {
  const row = /<tbody>(?:(?!<\/tbody>).)*/gs.exec(
    html.slice(html.lastIndexOf('<tbody>', html.indexOf(`code">${name}<`))),
  )?.[0];
  return (row ?? '').replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
}

test('a row says date, data set, macro-F1 with its interval, the recall of each class, and since when it is in production', () => {
  const html = page([version(2, { promotions: [promoted(2, null)] })], { version: 'v2', since: undefined });
  expect(rowOf(html, 'v2')).toContain('1 Feb 2026 v2 set-2.zip 90.0 % 84.0 % to 96.0 % on 20 test images');
  expect(rowOf(html, 'v2')).toContain('In production since 1 Feb 2026');
  expect(rowOf(html, 'v2')).toContain('Recall of 2 classes achnanthes 90.0 % hannea, the arc 90.0 %');
  expect(html).toContain('In production is v2, since 1 Feb 2026.');
});

test('a refused version is shown with every reason, newest version first', () => {
  const judged = {
    passed: false,
    reasons: ['macro_f1: the model has 0.5, required is >= 0.85 (gate).', 'Other classes.'],
  };
  const html = page([version(1), version(3, { judged }), version(2)]);
  expect(rowOf(html, 'v3')).toMatch(/Refused .*required is &gt;= 0\.85 \(gate\)\. Other classes\./);
  expect(rowOf(html, 'v1')).toContain('Passed, not promoted');
  const order = ['v3', 'v2', 'v1'].map((name) => html.indexOf(`code">${name}<`));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
});

test('how a version compared is said, once, whether it passed or not', () => {
  const [good, bad] = ['Better than v1: 7 newly right.', 'Worse than v0: 7 newly wrong.'];
  const html = page([
    version(1, { judged: { compared: [good] }, promotions: [promoted(1, null)] }),
    version(2, { judged: { passed: false, reasons: [bad], compared: [good, bad] } }),
  ]);
  expect(rowOf(html, 'v1')).toContain(good);
  expect(rowOf(html, 'v2')).toContain(good);
  expect(rowOf(html, 'v2').split(bad)).toHaveLength(2);
});

test('a version that was in production is shown with its times there, also with two, and when a person has decided', () => {
  const html = page(
    [
      version(1, { promotions: [promoted(1, null), promoted(4, 'v3', 'person')] }),
      version(3, { judged: { passed: false, reasons: ['Worse.'] }, promotions: [promoted(3, 'v1', 'person')] }),
      // Something was in production meanwhile whose record is gone: then nobody knows the end.
      version(5, { promotions: [promoted(5, 'v4')] }),
    ],
    { version: 'v5', since: new Date('2026-05-01T03:20:00Z') },
  );
  expect(rowOf(html, 'v1')).toContain(
    'Was in production 1 Jan 2026 to 1 Mar 2026 from 1 Apr 2026, by a person’s decision',
  );
  expect(rowOf(html, 'v3')).toContain('Was in production Refused 1 Mar 2026 to 1 Apr 2026, by a person’s decision');
  expect(rowOf(html, 'v5')).toContain('In production since 1 May 2026');
});

test('where the record of a promotion is missing, the date of production’s own folder counts', () => {
  const since = new Date('2026-06-01T00:00:00Z');
  expect(rowOf(page([version(1)], { version: 'v1', since }), 'v1')).toContain('In production since 1 Jun 2026');
  const back = version(1, { promotions: [promoted(1, null)] });
  expect(rowOf(page([back], { version: 'v1', since }), 'v1')).toContain('since 1 Jun 2026');
});

test('a version that can’t be read whole is listed with what is known, and a folder of something else is named apart', () => {
  const lame = version(2, {}, { metrics: undefined, record: undefined, faults: ['metrics.json is not JSON.'] });
  const other = version(3, {}, { name: 'a notebook', isVersion: false, metrics: undefined, record: undefined });
  const html = page([version(1), lame, other], { version: undefined, since: undefined }, ['v0']);
  expect(rowOf(html, 'v2')).toContain('Not written down The version can’t be read whole: metrics.json is not JSON.');
  expect(html).toContain('Folders that are not versions: a notebook.');
  expect(html).toContain('Older versions, not read for this page: v0.');
  expect(html).toContain('In production is a model that is not a version.');
});

test('the recall of each class is shown from version to version, and a class that fell below production is marked', () => {
  const recall = (value: number) => ({ precision: 0.9, recall: value, f1: 0.9, support: 10 });
  const figures = (hannea: number) => ({ achnanthes: recall(0.9), ...(hannea > 0 ? { hannea: recall(hannea) } : {}) });
  const of = (month: number, hannea: number, fate: Fate = {}) =>
    version(month, fate, {
      metrics: parseMetrics(JSON.stringify({ accuracy: 0.9, macro_f1: 0.9, classes: figures(hannea) }), 'm'),
    });
  const html = page([of(1, 0), of(2, 0.9, { promotions: [promoted(2, null)] }), of(3, 0.2)], {
    version: 'v2',
    since: undefined,
  });
  const [, row = ''] = /<th scope="row">hannea<\/th>(.*?)<\/tr>/s.exec(html) ?? [];
  expect(row.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ')).toContain('90.0 % ▼ 20.0 % 10');
  // It is a line from the version on that first knew the class.
  expect(row).toMatch(/d="M120 6L236 20"/);
});

test('the curve tells a version in use, one that was, one that was refused and any other apart without colour', () => {
  const html = page(
    [
      version(1, { promotions: [promoted(1, null)] }),
      version(2, { judged: { passed: false, reasons: ['Worse.'] } }),
      version(3),
      version(4, { promotions: [promoted(4, 'v1')] }),
    ],
    { version: 'v4', since: undefined },
  );
  const [chart = ''] = /<svg class="chart".*?<\/svg>/s.exec(html) ?? [];
  const marks = [...chart.matchAll(/<g><title>(v\d)[^<]*<\/title>(.*?)<\/g>/gs)].map(([, name, shapes = '']) => [
    name,
    [...shapes.matchAll(/class="(\w+)"/g)].map(([, kind]) => kind),
  ]);
  expect(marks).toEqual([
    ['v1', ['interval', 'used']],
    ['v2', ['interval', 'cross']],
    ['v3', ['interval', 'unused']],
    ['v4', ['interval', 'used', 'ring']],
  ]);
});

test('nothing in names, labels or reasons becomes HTML, and the page loads nothing and runs nothing', () => {
  const evil = '"><script>alert(1)</script><img src=https://evil.example/x>&';
  const html = versionsHtml({
    modelName: evil,
    versions: [
      version(
        1,
        { judged: { passed: false, reasons: [evil] } },
        {
          name: `v1${evil}`,
          dataset: evil,
          faults: [evil],
          metrics: parseMetrics(JSON.stringify(metrics({}, [evil, '__proto__', 'constructor'])), 'm'),
        },
      ),
    ],
    production: { version: evil, since: undefined },
    unread: [evil],
  });
  expect(html).not.toMatch(/<script|<img|<link|<iframe| on\w+=/i);
  expect(html.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
  expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'`);
  expect(html).not.toMatch(/(?:src|href)="(?!#)/);
  expect(html).not.toMatch(/url\(|@import/);
});

test('equal versions give equal pages, and a folder without versions or figures gives one too', () => {
  const versions = [version(1), version(2)];
  expect(page(versions)).toBe(page(versions.toReversed()));
  expect(page([])).toContain('There are none.');
  expect(page([version(1, {}, { metrics: undefined })])).toContain('No version has figures that can be read.');
  expect(page([version(1, {}, { stored: undefined })])).toContain('Date unknown');
});
