import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Hook } from '../../scripts/stand-ins/owncloud-server.ts';
import { parseGate } from '../../src/model/gate.ts';
import { refusalOf } from '../../src/publish-model/outcome.ts';
import { failureOf } from '../helpers/failure.ts';
import {
  CLASSES,
  comparedImages,
  comparison,
  filesOf,
  foldersOf,
  MODEL_FOLDER,
  metrics,
  modelDir,
  publishTask,
  RULES,
  rollBackTask,
  runPublish,
} from '../helpers/model.ts';
import { ownServer, USER } from '../helpers/owncloud.ts';

const PREVIOUS = expect.stringMatching(/^production\.previous-\d{8}-\d{6}-[0-9a-f]{8}$/);

/** The lines that `sha256sum` prints of the files of a folder. */
async function digests(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return Promise.all(
    names.map(async (name) => {
      const sum = createHash('sha256').update(await readFile(join(folder, name)));
      return `${sum.digest('hex')}  ${name}`;
    }),
  );
}

test('a first model becomes a version with the sums of its files, and production a copy that names it', async () => {
  const server = await ownServer();
  const cards = { 'MODEL_CARD.md': '# Mine\n', 'README.md': '# Mine, too\n' };
  const folder = await modelDir('a', { ...cards, 'plot.png': new Uint8Array([0, 255, 1]) });
  const outcome = await runPublish({ url: server.url, task: publishTask(folder, 'v1') });
  expect(outcome).toMatchObject({ version: 'v1', promoted: true, production: undefined, replaced: undefined });
  expect(foldersOf(server.directory)).toEqual(['production', 'v1']);
  const { SHA256SUMS: sums, ...files } = filesOf(server.directory, 'v1') ?? {};
  expect(Object.keys(files).sort()).toEqual((await readdir(folder)).sort());
  for (const [name, content] of Object.entries(files)) expect(content).toBe(await readFile(join(folder, name), 'utf8'));
  expect(filesOf(server.directory, 'production')).toEqual({ ...files, SHA256SUMS: sums, VERSION: 'v1\n' });
  const lines = await digests(folder);
  expect(sums?.trim().split('\n').sort()).toEqual(expect.arrayContaining(lines));
  expect(sums?.trim().split('\n')).toHaveLength(lines.length);
  expect(sums).toContain(`${outcome.sha256}  model.pth\n`);
  expect(await readdir(join(server.directory, MODEL_FOLDER, '.publish-lock'))).toEqual([]);
});

test('each file of a version is sent once, and asked about in one list of the folder', async () => {
  const asked: string[] = [];
  const server = await ownServer({
    hook: ({ method, path }) => {
      asked.push(`${method} ${basename(path)}`);
      return undefined;
    },
  });
  await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1') });
  asked.length = 0;
  await runPublish({ url: server.url, task: publishTask(await modelDir('b'), 'v2') });
  const files = ['model.pth', 'classes.json', 'metrics.json', 'training-images.csv', 'MODEL_CARD.md', 'README.md'];
  for (const file of files) {
    expect(asked.filter((request) => request.endsWith(` ${file}`) && !request.startsWith('GET'))).toEqual([
      `PUT ${file}`,
    ]);
  }
  expect(asked.filter((request) => /^PROPFIND v2\.uploading-/.test(request))).toHaveLength(1);
});

test('of files stored side by side, one that the server has stored in part is sent again once, and the others are not', async () => {
  const sent: string[] = [];
  const server = await ownServer({
    hook: async ({ method, path }, proceed) => {
      if (method !== 'PUT' || !path.includes('/v1.uploading-')) return undefined;
      sent.push(basename(path));
      const answer = await proceed();
      const isFirst = sent.filter((name) => name === 'model.pth').length === 1;
      const [, below = ''] = path.split(`${USER}/`);
      if (path.endsWith('/model.pth') && isFirst) await truncate(join(server.directory, below), 900);
      return answer;
    },
  });
  const { promoted, warnings } = await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1') });
  expect(promoted).toBe(true);
  expect(warnings.join('\n')).toMatch(
    /stored “[^”]*\/model\.pth”, but 900 of \d+ bytes are there\. It is sent again\./,
  );
  expect(sent.filter((name) => name === 'model.pth')).toHaveLength(2);
  expect(new Set(sent).size).toBe(sent.length - 1);
});

test('a VERSION that the server has stored as long as it was sent, but with another text, is sent again before the swap', async () => {
  let sent = 0;
  const server = await ownServer({
    hook: async ({ method, path }, proceed) => {
      if (method !== 'PUT' || !path.endsWith('/VERSION') || ++sent > 1) return undefined;
      const answer = await proceed();
      await writeFile(join(server.directory, path.split(`${USER}/`)[1] ?? ''), 'v0\n');
      return answer;
    },
  });
  const { promoted, warnings } = await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1') });
  expect({ promoted, sent }).toEqual({ promoted: true, sent: 2 });
  expect(warnings.join('\n')).toMatch(/VERSION”, but it says v0\. It is sent again\./);
  expect(filesOf(server.directory, 'production')).toMatchObject({ VERSION: 'v1\n' });
});

test('a run whose note is deleted while it compares its copy for long touches production no more', async () => {
  const lock = () => join(server.directory, MODEL_FOLDER, '.publish-lock');
  const server: Awaited<ReturnType<typeof ownServer>> = await ownServer({
    hook: async ({ method, path }) => {
      if (method !== 'GET' || !/production\.next-.*\/VERSION$/.test(path)) return undefined;
      await sleep(1_100);
      for (const note of await readdir(lock())) await rm(join(lock(), note));
      return undefined;
    },
  });
  const run = runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1') });
  expect((await failureOf(run)).message).toContain('Another run has taken over');
  expect(foldersOf(server.directory)).toEqual(['v1']);
});

test('a production that somebody makes by hand while the copy is compared for long is kept, too', async () => {
  const server: Awaited<ReturnType<typeof ownServer>> = await ownServer({
    hook: async ({ method, path }) => {
      if (method !== 'GET' || !/production\.next-.*\/VERSION$/.test(path)) return undefined;
      await sleep(1_100);
      await mkdir(join(server.directory, MODEL_FOLDER, 'production'));
      return undefined;
    },
  });
  const { promoted } = await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1') });
  expect(promoted).toBe(true);
  expect(foldersOf(server.directory)).toEqual(['production', PREVIOUS, 'v1']);
});

test('a run that does not get the folder waits for its tidying, so that nothing is asked after its end', async () => {
  let isTidy = false;
  const lists: string[] = [];
  const server = await ownServer({
    hook: async ({ method, path }) => {
      if (method === 'PUT' && path.includes('/.publish-lock/')) return { status: 403 };
      if (method !== 'PROPFIND' || !path.endsWith('/models/')) return undefined;
      lists.push(path);
      await sleep(300);
      isTidy = true;
      return undefined;
    },
  });
  const env = { GITHUB_REPOSITORY: 'lab/diatoms', GITHUB_RUN_ID: '18' };
  await failureOf(runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1'), context: { env } }));
  expect(lists).toHaveLength(1);
  expect(isTidy).toBe(true);
});

test('a model without MODEL_CARD.md gets one with its figures and where it comes from', async () => {
  const server = await ownServer();
  const provenance = { image: 'x/y:1', image_digest: null, dataset: { name: 'set.zip', sha256: 'abc', seed: 7 } };
  await runPublish({
    url: server.url,
    task: publishTask(await modelDir('a', { 'provenance.json': provenance }), 'v1'),
  });
  const { 'MODEL_CARD.md': card, 'README.md': hubCard } = filesOf(server.directory, 'production') ?? {};
  expect(card).toContain('macro-F1 90.0 % (84.0 % to 96.0 %) on 20 test images');
  expect(card).toContain('| hannea, the arc | 90.0 % | 90.0 % | 90.0 % | 10 |');
  expect(card).toContain('| Seed of the split | 7 |');
  expect(card).toContain('| Image | x/y:1 |');
  expect(hubCard).toContain(card?.trimEnd());
});

test('a second model replaces the first, which is kept; a third leaves only the newest copy of what it replaced', async () => {
  const server = await ownServer();
  for (const version of ['v1', 'v2', 'v3']) {
    await runPublish({ url: server.url, task: publishTask(await modelDir(version), version) });
  }
  expect(foldersOf(server.directory)).toEqual(['production', PREVIOUS, 'v1', 'v2', 'v3']);
  const [, copy = ''] = foldersOf(server.directory);
  expect(filesOf(server.directory, copy)).toEqual({ ...filesOf(server.directory, 'v2'), VERSION: 'v2\n' });
  expect(filesOf(server.directory, 'production')).toEqual({ ...filesOf(server.directory, 'v3'), VERSION: 'v3\n' });
});

test('a production that somebody made by hand is replaced, and stays for good as a copy', async () => {
  const server = await ownServer();
  const production = join(server.directory, MODEL_FOLDER, 'production');
  await mkdir(production, { recursive: true });
  await writeFile(join(production, 'model.pth'), 'by hand');
  await writeFile(join(production, 'classes.json'), JSON.stringify(CLASSES));
  for (const version of ['v1', 'v2', 'v3']) {
    await runPublish({ url: server.url, task: publishTask(await modelDir(version), version) });
  }
  expect(foldersOf(server.directory)).toEqual(['production', PREVIOUS, PREVIOUS, 'v1', 'v2', 'v3']);
  const copies = foldersOf(server.directory).filter((name) => name.startsWith('production.'));
  expect(copies.map((name) => filesOf(server.directory, name)?.['model.pth'])).toContain('by hand');
});

test('a failed gate leaves production alone, keeps the version, and shows model, requirement and production', async () => {
  const server = await ownServer();
  await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1') });
  const before = filesOf(server.directory, 'production');
  const gate = parseGate('macro_f1 >= 0.85, recall["hannea, the arc"] >= 0.7, accuracy > 0.5');
  const weak = metrics({ accuracy: 0.6, macro_f1: 0.4321 });
  const rules = { ...RULES, gate };
  const task = publishTask(await modelDir('b', { 'metrics.json': weak }), 'v2', { rules });
  const outcome = await runPublish({ url: server.url, task });
  expect(outcome).toMatchObject({ promoted: false, production: { version: 'v1' } });
  expect(refusalOf(outcome)).toContain(
    'macro_f1: the model has 0.4321, required is >= 0.85, production has 0.9 (gate).',
  );
  expect(refusalOf(outcome)).not.toContain('recall');
  // A WebDAV address is of little use in a browser; the summary links the folder's page.
  expect(refusalOf(outcome)).toContain(
    `v2 is kept in the folder “models/diatoms/v2” on ownCloud 10.15.0 at ${new URL(server.url).host}.`,
  );
  expect(refusalOf(outcome)).toContain('promote-version: v2');
  expect(filesOf(server.directory, 'production')).toEqual(before);
  expect(foldersOf(server.directory)).toEqual(['production', 'v1', 'v2']);
});

test('other classes, or the same in another order, are refused unless allowed', async () => {
  const server = await ownServer();
  const first = publishTask(await modelDir('a'), 'v1');
  await runPublish({ url: server.url, task: first });
  const changed = (labels: string[]) => modelDir('b', { 'classes.json': labels, 'metrics.json': metrics({}, labels) });
  const other = await runPublish({
    url: server.url,
    task: publishTask(await changed(['achnanthes', 'navicula']), 'v2'),
  });
  expect(refusalOf(other)).toContain('(new: navicula; no longer there: hannea, the arc)');
  const turned = await runPublish({ url: server.url, task: publishTask(await changed(CLASSES.toReversed()), 'v3') });
  expect(refusalOf(turned)).toContain('the same in another order');
  expect(filesOf(server.directory, 'production')?.['VERSION']).toBe('v1\n');
  const rules = { ...first.rules, allowClassChange: true };
  const allowed = await runPublish({
    url: server.url,
    task: publishTask(await changed(['navicula']), 'v4', { rules }),
  });
  expect(allowed).toMatchObject({ promoted: true, classesDiffer: true });

  const back = await runPublish({ url: server.url, task: rollBackTask('v1') });
  expect(refusalOf(back)).toContain('allow-class-change: true');
  expect(filesOf(server.directory, 'production')?.['VERSION']).toBe('v4\n');
  expect(await runPublish({ url: server.url, task: rollBackTask('v1', true) })).toMatchObject({ promoted: true });
});

test('no-worse-than-production asks for evidence as soon as there is a production', async () => {
  const server = await ownServer();
  const rules = { ...RULES, noWorse: true };
  const run = async (version: string, compared: unknown) =>
    runPublish({
      url: server.url,
      task: publishTask(await modelDir(version, { 'comparison.json': compared }), version, { rules }),
    });
  expect(refusalOf(await run('v1', undefined))).toBeUndefined();
  expect(refusalOf(await run('v2', undefined))).toContain('no comparison.json');
  expect(refusalOf(await run('v3', comparison('v0')))).toContain('compared with version v0, but v1 is in production');
  expect(refusalOf(await run('v4', comparison('v1', { too_few: true, n_compared: 3 })))).toContain('Only 3 of 20');
  const [label = ''] = CLASSES;
  const below = comparison('v1', { images: comparedImages([{ label, images: 40, production: 36, candidate: 35 }]) });
  expect(refusalOf(await run('v5', below))).toContain('0 newly right, 1 newly wrong');
  const equal = comparison('v1', { candidate: metrics({ macro_f1: 0.85, accuracy: 0.86 }) });
  expect(refusalOf(await run('v6', equal))).toBeUndefined();
  expect(filesOf(server.directory, 'production')?.['VERSION']).toBe('v6\n');
});

test('promote: false stores and checks a version, and touches nothing else', async () => {
  const server = await ownServer();
  const outcome = await runPublish({
    url: server.url,
    task: publishTask(await modelDir('a'), 'v1', { promote: false }),
  });
  expect(outcome).toMatchObject({ promoted: false, checks: { passed: true } });
  expect(foldersOf(server.directory)).toEqual(['v1']);
});

test('a version is never overwritten: the same files are fine, other files are refused', async () => {
  const server = await ownServer();
  const folder = await modelDir('a');
  await runPublish({ url: server.url, task: publishTask(folder, 'v1', { promote: false }) });
  expect(await runPublish({ url: server.url, task: publishTask(folder, 'v1') })).toMatchObject({ promoted: true });
  expect(await runPublish({ url: server.url, task: publishTask(folder, 'v1') })).toMatchObject({
    promoted: true,
    replaced: undefined,
  });
  const before = filesOf(server.directory, 'v1');
  const other = await failureOf(runPublish({ url: server.url, task: publishTask(await modelDir('b'), 'v1') }));
  expect(other.message).toContain('v1 is there already');
  expect(filesOf(server.directory, 'v1')).toEqual(before);
  expect(foldersOf(server.directory)).toEqual(['production', 'v1']);
});

test('roll-back puts a named version or the previous one back, without a model on this side', async () => {
  const server = await ownServer();
  for (const version of ['v1', 'v2', 'v3']) {
    await runPublish({ url: server.url, task: publishTask(await modelDir(version), version) });
  }
  const production = () => filesOf(server.directory, 'production');
  await runPublish({ url: server.url, task: rollBackTask('previous') });
  expect(production()).toEqual({ ...filesOf(server.directory, 'v2'), VERSION: 'v2\n' });
  await runPublish({ url: server.url, task: rollBackTask('v1') });
  expect(production()).toEqual({ ...filesOf(server.directory, 'v1'), VERSION: 'v1\n' });
  await runPublish({ url: server.url, task: rollBackTask('previous') });
  expect(production()).toEqual({ ...filesOf(server.directory, 'v2'), VERSION: 'v2\n' });
});

test('roll-back refuses a version whose files are not what its sums say, and production stays', async () => {
  const server = await ownServer();
  for (const version of ['v1', 'v2']) {
    await runPublish({ url: server.url, task: publishTask(await modelDir(version), version) });
  }
  const before = filesOf(server.directory, 'production');
  const weights = join(server.directory, MODEL_FOLDER, 'v1', 'model.pth');
  const good = await readFile(weights);
  await writeFile(weights, Buffer.concat([Buffer.from('X'), good.subarray(1)]));
  expect((await failureOf(runPublish({ url: server.url, task: rollBackTask('v1') }))).message).toContain(
    'model.pth has the SHA-256',
  );
  await rm(weights);
  expect((await failureOf(runPublish({ url: server.url, task: rollBackTask('v1') }))).message).toContain(
    'model.pth is missing',
  );
  expect(filesOf(server.directory, 'production')).toEqual(before);
  expect(foldersOf(server.directory)).toEqual(['production', PREVIOUS, 'v1', 'v2']);
});

test('roll-back names what there is when the version, the model or the one before is not there', async () => {
  const server = await ownServer();
  await runPublish({ url: server.url, task: publishTask(await modelDir('a'), 'v1') });
  const message = async (to: string, modelName = 'diatoms') =>
    (await failureOf(runPublish({ url: server.url, task: rollBackTask(to), inputs: { modelName } }))).message;
  expect(await message('v7')).toContain('v7 is not in “models/diatoms”. At 127.0.0.1');
  expect(await message('v7')).toContain('there are v1.');
  expect(await message('previous')).toContain('production has replaced nothing so far');
  expect(await message('v1', 'diatom')).toContain('there is no model “diatom”');
  expect(await readdir(join(server.directory, 'models'))).toEqual(['diatoms']);
});

test('keep-versions deletes the oldest versions, but never production’s, the one before it, or anything else', async () => {
  const server = await ownServer();
  for (const version of ['v1', 'v2', 'v3', 'v4']) {
    await runPublish({ url: server.url, task: publishTask(await modelDir(version), version) });
  }
  await mkdir(join(server.directory, MODEL_FOLDER, 'a notebook'));
  await runPublish({ url: server.url, task: rollBackTask('v1') });
  // v1 is in production now, v4 was before it; v5 is stored only.
  const task = publishTask(await modelDir('v5'), 'v5', { promote: false });
  const outcome = await runPublish({ url: server.url, task, inputs: { keepVersions: 1 } });
  expect(outcome.removed.toSorted()).toEqual(['v2', 'v3']);
  expect(foldersOf(server.directory)).toEqual(['a notebook', 'production', PREVIOUS, 'v1', 'v4', 'v5']);
});

test('keep-versions keeps the best version that was ever in production, for the next models to be compared with', async () => {
  const server = await ownServer();
  const accuracies = { v1: 0.9, v2: 0.97, v3: 0.95, v4: 0.9, v5: 0.9, v6: 0.9 };
  for (const [version, accuracy] of Object.entries(accuracies)) {
    const folder = await modelDir(version, { 'metrics.json': metrics({ accuracy }) });
    await runPublish({ url: server.url, task: publishTask(folder, version), inputs: { keepVersions: 1 } });
  }
  expect(foldersOf(server.directory)).toEqual(['production', PREVIOUS, 'v2', 'v5', 'v6']);
});

/** The stand-in's answers to PROPFIND, changed. */
const propfinds =
  (change: (xml: string) => string): Hook =>
  async ({ method }, proceed) => {
    if (method !== 'PROPFIND') return undefined;
    const answer = await proceed();
    return typeof answer.body === 'string' ? { ...answer, body: change(answer.body) } : answer;
  };

test.each([
  // lighttpd and IIS do so (MS-WDV); the stand-in for it changes ownCloud's answers.
  ['that have attributes', 'b:dt="x" xmlns:b="urn:uuid:c2f41010-65b3-11d1-a29f-00aa00c14882/"', ['v1'], /^$/],
  ['that are not told', undefined, [], /does not say when 2 of the versions were stored: keep-versions deletes none/],
])('keep-versions on a server with times %s', async (_, attributes, removed, warning) => {
  const server = await ownServer({
    hook: propfinds((xml) =>
      attributes === undefined
        ? xml.replaceAll(/<d:getlastmodified>[^<]*<\/d:getlastmodified>/g, '')
        : xml.replaceAll(/<d:(getlastmodified|getcontentlength)>/g, `<d:$1 ${attributes}>`),
    ),
  });
  await runPublish({ url: server.url, task: publishTask(await modelDir('v1'), 'v1', { promote: false }) });
  const task = publishTask(await modelDir('v2'), 'v2', { promote: false });
  const outcome = await runPublish({ url: server.url, task, inputs: { keepVersions: 1 } });
  expect(outcome.removed).toEqual(removed);
  expect(outcome.warnings.join()).toMatch(warning);
});

test('a server with too little space is reported before the first byte, with a copy for production', async () => {
  const sizes = { 'model.pth': new Uint8Array(30_000) };
  const puts: string[] = [];
  const hook: Hook = ({ method, path }) => {
    if (method === 'PUT' && path.includes('uploading')) puts.push(path);
    return undefined;
  };
  const server = await ownServer({ availableBytes: 50_000, hook });
  const failure = await failureOf(
    runPublish({ url: server.url, task: publishTask(await modelDir('v1', sizes), 'v1') }),
  );
  expect(failure.message).toMatch(/has 50\.0 kB left for this account .+ its copy for production takes about 6\d/);
  expect(puts.filter((path) => path.includes('/v1'))).toEqual([]);
  const task = publishTask(await modelDir('v1', sizes), 'v1', { promote: false });
  expect((await runPublish({ url: server.url, task })).version).toBe('v1');
});

test('what a run left behind that was cut short is repaired and cleaned by the next', async () => {
  const server = await ownServer();
  for (const version of ['v1', 'v2']) {
    await runPublish({ url: server.url, task: publishTask(await modelDir(version), version) });
  }
  const folder = join(server.directory, MODEL_FOLDER);
  const kept = filesOf(server.directory, 'production');
  await rename(join(folder, 'production'), join(folder, 'production.previous-29991231-235959-0123abcd'));
  for (const name of ['production.next-0123abcd', 'v3.uploading-0123abcd', 'v0.deleting-0123abcd']) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'model.pth'), 'half');
  }
  const task = publishTask(await modelDir('v3'), 'v3', { promote: false });
  const { warnings } = await runPublish({ url: server.url, task });
  expect(warnings.join('\n')).toContain('has been put back from “production.previous-29991231-235959-0123abcd”');
  expect(filesOf(server.directory, 'production')).toEqual(kept);
  expect(foldersOf(server.directory)).toEqual(['production', PREVIOUS, 'v1', 'v2', 'v3']);
});

test('trial files of killed runs of the repository are deleted a day later', async () => {
  const server = await ownServer();
  const folder = join(server.directory, MODEL_FOLDER);
  await mkdir(folder, { recursive: true });
  const [old, young] = ['0123abcd', '4567abcd'].map((random) =>
    join(folder, `diatom-actions-write-check-lab-diatoms-17-${random}.txt`),
  );
  for (const path of [old, young]) await writeFile(path ?? '', 'half');
  const yesterday = (Date.now() - 25 * 3_600_000) / 1_000;
  await utimes(old ?? '', yesterday, yesterday);
  const env = { GITHUB_REPOSITORY: 'lab/diatoms', GITHUB_RUN_ID: '18' };
  const task = publishTask(await modelDir('v1'), 'v1');
  await runPublish({ url: server.url, task, context: { env, now: () => new Date() } });
  expect((await readdir(folder)).filter((name) => name.includes('write-check'))).toEqual([basename(young ?? '')]);
});
