import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkBudget, recordStart, recordStop } from '../../src/gpu-server/budget.ts';
import { readInputs } from '../../src/gpu-server/inputs.ts';
import type { StoppedServer } from '../../src/gpu-server/stop.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { parseHours, spentInMonth } from '../../src/model/gpu-hours.ts';
import { failureOf } from '../helpers/failure.ts';
import { otherServer, ownServer, PASSWORD, USER } from '../helpers/owncloud.ts';
import { setInputs } from '../helpers/runner.ts';

const HEAD = 'server,repository,start,deadline,hours,price_per_hour,cost,currency';

/** An ownCloud with a file of hours, and runs that use it. */
async function lab(file?: string) {
  const { directory, url } = await ownServer();
  const path = join(directory, 'data sets', 'gpu-hours.csv');
  if (file !== undefined) {
    await mkdir(join(directory, 'data sets'), { recursive: true });
    await writeFile(path, file);
  }
  return { directory, run: (inputs = {}, runId = '1') => aRun(url, inputs, runId), lines: () => linesOf(path) };
}

const linesOf = async (path: string) => (await readFile(path, 'utf8')).trimEnd().split('\n');

function aRun(url: string, inputs: Readonly<Record<string, string>> = {}, runId = '1') {
  setInputs({
    ...{ mode: 'start', driver: 'slurm', 'lifetime-hours': '10', 'price-per-hour': '2', 'monthly-budget': '' },
    ...{ 'owncloud-url': url, 'owncloud-username': USER, 'owncloud-password': PASSWORD },
    ...{ 'owncloud-folder': 'data sets', ...inputs },
  });
  const env = { GITHUB_REPOSITORY: 'example/diatoms', GITHUB_RUN_ID: runId, GITHUB_RUN_ATTEMPT: '1' };
  const http = createHttpClient();
  onTestFinished(() => http.close());
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  return { inputs: readInputs(env), http, signal: new AbortController().signal, onWarning, warnings };
}

function stopped(changes: Partial<StoppedServer> = {}): StoppedServer {
  return { name: 'diatom-1-1', existed: true, detail: '', hours: 1.5, pricePerHour: undefined, ...changes };
}

describe('gpu-hours.csv', () => {
  test('gets a line at the start, which the stop completes with hours and cost', async () => {
    const { run, lines, directory } = await lab();
    await recordStart(run(), 2);
    const [head, line] = await lines();
    expect(head).toBe(HEAD);
    expect(line).toMatch(/^diatom-1-1,example\/diatoms,20\S+Z,20\S+Z,,2,,EUR$/);
    const session = run();
    await recordStop(session, [stopped()]);
    await recordStop(session, [stopped({ hours: 7 })]);
    expect(await lines()).toEqual([HEAD, line?.replace(/,,2,,EUR$/, ',1.500,2,3.0000,EUR')]);
    expect(session.warnings).toEqual([]);
    expect((await readdir(join(directory, 'data sets'))).sort()).toEqual(['.gpu-hours-lock', 'gpu-hours.csv']);
    expect(await readdir(join(directory, 'data sets', '.gpu-hours-lock'))).toEqual([]);
  });

  test('gets the line at the stop when the start could not write it, and none for a server that never was', async () => {
    const { run, lines } = await lab(`${HEAD}\n`);
    await recordStop(run({ 'price-per-hour': '' }), [
      stopped({ pricePerHour: 0.5 }),
      stopped({ name: 'diatom-1-2', existed: false, hours: 0 }),
    ]);
    expect(await lines()).toEqual([HEAD, expect.stringMatching(/^diatom-1-1,.*,1.500,0.5,0.7500,EUR$/)]);
  });

  test('loses no line when two trainings start at once', async () => {
    const { run, lines } = await lab();
    await Promise.all([recordStart(run({}, '1'), 2), recordStart(run({}, '2'), 2)]);
    expect((await lines()).map((line) => line.split(',')[0]).sort()).toEqual(['diatom-1-1', 'diatom-2-1', 'server']);
  });

  test('takes the end of another training’s server by its own line: its price, and no more hours than it may run', async () => {
    const { run, lines } = await lab();
    await recordStart(run({ 'lifetime-hours': '12', 'price-per-hour': '' }, '5'), 40);
    const reaper = run({ 'lifetime-hours': '6', 'price-per-hour': '1' }, '9');
    await recordStop(reaper, [stopped({ name: 'diatom-5-1', hours: 12 })]);
    expect((await lines())[1]).toMatch(/,12\.000,40,480\.0000,EUR$/);
    await recordStart(run({ 'lifetime-hours': '12', 'price-per-hour': '' }, '6'), undefined);
    await recordStop(reaper, [stopped({ name: 'diatom-6-1', hours: 300 })]);
    expect((await lines())[2]).toMatch(/,12\.000,1,12\.0000,EUR$/);
  });

  test('that somebody has spoilt is left as it is, and said by its line', async () => {
    const { run, lines } = await lab(`${HEAD}\ndiatom-1-1;example/diatoms\n`);
    const session = run();
    await recordStart(session, 2);
    expect(session.warnings[0]).toContain('Line 2 of gpu-hours.csv can’t be read');
    expect(await lines()).toHaveLength(2);
  });
});

describe('monthly-budget', () => {
  const now = new Date();
  const [month, next] = [now.toISOString().slice(0, 7), new Date(now.getTime() + 40 * 86_400_000).toISOString()];
  const SPENT = [
    HEAD,
    `diatom-5-1,example/diatoms,${month}-01T00:00:00.000Z,${month}-01T20:00:00.000Z,5,2,10,EUR`,
    // Its stop never came: 20 hours.
    `diatom-6-1,example/other,${month}-01T00:00:00.000Z,${month}-01T20:00:00.000Z,,2,,EUR`,
    `diatom-7-1,example/diatoms,2020-01-01T00:00:00.000Z,2020-01-01T20:00:00.000Z,20,1000,20000,EUR`,
    `diatom-8-1,example/diatoms,${month}-01T00:00:00.000Z,${month}-01T20:00:00.000Z,5,2,10,USD`,
    '',
  ].join('\n');

  test('counts this calendar month, and a server whose stop never came until its deadline', () => {
    const rows = parseHours(SPENT);
    expect(spentInMonth(rows, now, 'EUR')).toEqual({ cost: 50, uncounted: 1 });
    expect(spentInMonth(rows, new Date('2020-01-31T23:59:59Z'), 'EUR').cost).toBe(20_000);
    expect(spentInMonth(rows, new Date(next), 'EUR')).toEqual({ cost: 0, uncounted: 0 });
  });

  test('refuses a server that may cost more than is left, with all figures, and writes nothing', async () => {
    const { run, lines } = await lab(SPENT);
    const { code, message } = await failureOf(recordStart(run({ 'monthly-budget': '60' }), 2));
    expect(code).toBe('INPUT');
    expect(message).toContain(
      'The server may cost 10 h × 2.00 EUR = 20.00 EUR, and of monthly-budget 10.00 EUR is left: 50.00 EUR of 60.00 EUR are spent or taken this month (and 1 without a price in EUR)',
    );
    expect(await lines()).toEqual(SPENT.trimEnd().split('\n'));
  });

  test('is checked without being touched', async () => {
    const { run, lines } = await lab(SPENT);
    expect(await checkBudget(run({ 'monthly-budget': '80' }), 2, 80)).toBe(
      'Of monthly-budget, 50.00 EUR of 80.00 EUR are spent or taken this month (and 1 without a price in EUR).',
    );
    const { message } = await failureOf(checkBudget(run({ 'monthly-budget': '60' }), 2, 60));
    expect(message).toContain('of monthly-budget 10.00 EUR is left');
    expect(await lines()).toEqual(SPENT.trimEnd().split('\n'));
    const own = run({ 'monthly-budget': '80' });
    await recordStart(own, 2);
    expect(await checkBudget(own, 2, 80), 'a server does not stand in its own way').toContain('50.00 EUR of 80.00');
  });

  test('lets pass what fits, and of two at once that fit alone, only one', async () => {
    const { run } = await lab(SPENT);
    const outcomes = await Promise.allSettled(
      ['1', '2'].map((id) => recordStart(run({ 'monthly-budget': '80' }, id), 2)),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('refuses where the hours can’t be read, or are kept nowhere; without a budget that is a warning', async () => {
    const { url } = await otherServer((_request, response) => void response.writeHead(404).end());
    await failureOf(recordStart(aRun(url, { 'monthly-budget': '60' }), 2));
    const session = aRun(url);
    await recordStart(session, 2);
    await recordStop(session, [stopped()]);
    expect(session.warnings).toEqual([
      expect.stringContaining('The start is not in gpu-hours.csv: '),
      expect.stringContaining('The end is not in gpu-hours.csv, where the server counts until its deadline: '),
    ]);
    expect(session.warnings.join('\n')).not.toContain(PASSWORD);
    const nowhere = { 'owncloud-password': '', 'monthly-budget': '60' };
    expect((await failureOf(recordStart(aRun(url, nowhere), 2))).message).toContain(
      'monthly-budget needs owncloud-url',
    );
  });

  test('is not kept where there is no password', async () => {
    const { directory, run } = await lab();
    await recordStart(run({ 'owncloud-password': '' }), 2);
    expect(existsSync(join(directory, 'data sets'))).toBe(false);
  });
});
