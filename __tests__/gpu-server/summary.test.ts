import { expect, test } from 'vitest';
import {
  reapedSection,
  startedSection,
  statusSection,
  stoppedSection,
  summaryMarkdown,
} from '../../src/gpu-server/summary.ts';

const DEADLINE = new Date('2026-11-22T12:00:00Z');
const PRICE = { pricePerHour: 1.5, currency: 'EUR' };
const SERVER = { name: 'diatom-1-1', state: 'running', detail: 'i-1 | <b>', deadline: DEADLINE } as const;

test('a start shows the server, its deadline and the most that it can cost', () => {
  const text = startedSection(
    { deadline: DEADLINE, runsOn: ['self-hosted', 'diatom-1-1'], pricePerHour: 1.5, reaped: [] },
    'an EC2 instance',
    { name: 'diatom-1-1', maxMinutes: 360, currency: 'EUR' },
  );
  expect(text).toContain('| Server | `diatom-1-1` |');
  expect(text).toContain('`2026-11-22T12:00:00.000Z`, after 6 h');
  expect(text).toContain('| Costs at most | 6 h × 1.50 EUR = 9.00 EUR |');
  expect(text).toContain('`self-hosted`, `diatom-1-1`');
});

test('a stop shows hours and cost, says what it does not know, and lists what else is there', () => {
  const text = stoppedSection(
    [
      { name: 'diatom-2-2', existed: true, detail: '', hours: 2.5, pricePerHour: undefined },
      { name: 'diatom-2-1', existed: undefined, detail: '', hours: undefined, pricePerHour: undefined },
      { name: 'diatom-2-3', existed: false, detail: '', hours: 0, pricePerHour: undefined },
    ],
    [SERVER],
    PRICE,
  );
  expect(text).toContain('| `diatom-2-2` | gone | 2.5 h | 2.5 h × 1.50 EUR = 3.75 EUR |');
  expect(text).toContain('| `diatom-2-1` | gone | not known | not known |');
  expect(text).toContain('| `diatom-2-3` | there was none |');
  expect(text).toContain('### Other servers of this repository');
  expect(text).toContain('i-1 \\| &lt;b&gt;');
});

test('a stop takes the price of the cloud where the settings have none', () => {
  const stopped = (pricePerHour: number | undefined) =>
    stoppedSection([{ name: 'x', existed: true, detail: '', hours: 1, pricePerHour }], [], {
      pricePerHour: undefined,
      currency: 'USD',
    });
  expect(stopped(0.4)).toContain('| 1 h | 1 h × 0.40 USD = 0.40 USD |');
  expect(stopped(undefined)).toContain('| 1 h | not known |');
});

test('a status shows every check', () => {
  const text = statusSection({
    checks: [
      { name: 'Runners', ok: true, result: '3 in all' },
      { name: 'Runs', ok: false, result: 'refused | 403' },
    ],
    status: undefined,
    servers: [SERVER],
  });
  expect(text).toContain('| ✅ | Runners | 3 in all |');
  expect(text).toContain('| ❌ | Runs | refused \\| 403 |');
  expect(text).toContain('`diatom-1-1`');
});

test('a reaper shows what it found, what it did, and why', () => {
  const text = reapedSection([{ server: SERVER, outcome: 'stopped', why: 'its run is over' }], ['diatom-9-1']);
  expect(text).toContain('| `diatom-1-1` | running | `2026-11-22T12:00:00.000Z` | stopped | its run is over |');
  expect(text).toContain('- `diatom-9-1`');
  expect(reapedSection([])).toBe('No server of this repository was left behind.');
});

test('a failure comes first', () => {
  const text = summaryMarkdown('it may still run', ['a warning'], ['the rest']);
  expect(text.indexOf('it may still run')).toBeLessThan(text.indexOf('a warning'));
  expect(text.indexOf('a warning')).toBeLessThan(text.indexOf('the rest'));
  expect(text).toContain('> [!CAUTION]');
});
