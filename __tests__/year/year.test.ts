import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { workflowFiles } from '../helpers/workflow-files.ts';
import { expectAllInOrder } from './checks.ts';
import { sha256Of, specimensOf } from './collection.ts';
import { type Lab, type Month, openLab, type Start } from './lab.ts';
import { expectChangesSaid, expectNewModel, expectRed, expectRefused, newest, stateOf } from './months.ts';
import type { Species } from './pictures.ts';
import { archives, comparison, type Image, imagesOf, unpublished } from './records.ts';
import { errorsOf } from './said.ts';

const FIRST: readonly Species[] = ['Achnanthidium', 'Cocconeis', 'Encyonema', 'Fragilaria', 'Navicula', 'Nitzschia'];
/** Lies among the pictures of Navicula until somebody notices. */
const MISFILED = { species: 'Nitzschia', number: 900 } as const;

let lab: Lab;
/** Where everything lies. */
let server: string;

beforeAll(async () => {
  lab = await openLab();
  server = lab.server.directory;
  for (const species of FIRST) await lab.collection.put(`${species}.zip`, species, specimensOf(species, 0, 60));
  await lab.collection.put('Navicula.zip', 'Navicula', [...specimensOf('Navicula', 0, 59), MISFILED]);
});

afterEach(() => expectAllInOrder(lab));

afterAll(() => lab?.close());

const testsAmong = (images: readonly Image[]) => images.filter(({ split }) => split === 'test').length;

/** On which side each of these images is that are also among the others. */
function sidesOf(images: readonly Image[], among: readonly Image[]): Map<string, string> {
  const wanted = new Set(among.map(({ sha256 }) => sha256));
  return new Map(images.flatMap(({ sha256, split }) => (wanted.has(sha256) ? [[sha256, split] as const] : [])));
}

/** What a run has had of the zips, its check included. */
const downloaded = ({ requests }: Month) =>
  requests.filter(({ method, bytes, path }) => method === 'GET' && path.startsWith('/zips/') && bytes > 0);

/** What a run has put on the server to stay. */
const uploaded = ({ requests }: Month) =>
  requests.filter(({ method, path }) => method === 'PUT' && !/write-check/.test(path));

test('January: the first run makes the first model', async () => {
  await expectNewModel(lab, undefined);
  expect((await stateOf(lab)).versions).toHaveLength(1);
  expect(testsAmong(await newest(lab))).toBe(6 * 12);
});

test('February: new images go to both sides, and the models are compared on all test images', async () => {
  const before = await newest(lab);
  for (const species of ['Cocconeis', 'Encyonema', 'Navicula'] as const) {
    await lab.collection.put(`${species}-2.zip`, species, specimensOf(species, 100, 30));
  }
  const added = { Added: 30 };
  const month = await expectNewModel(lab, { Cocconeis: added, Encyonema: added, Navicula: added });
  expect(month.log).toContain('90 of 90 test images are new to both models.');
  const after = await newest(lab);
  expect(sidesOf(after, before)).toEqual(sidesOf(before, before));
  expect(testsAmong(after)).toBe(6 * 12 + 3 * 6);
  expect(await comparison(server, (await stateOf(lab)).production ?? '')).toMatchObject({ n_test: 90, n_compared: 90 });
});

test('March: nothing new, nothing spent', async () => {
  const before = [await stateOf(lab), await lab.imageDigest()];
  const month = await lab.start();
  expect(errorsOf(month)).toEqual([]);
  expect(month).toMatchObject({ exitCode: 0, artifacts: [] });
  expect([await stateOf(lab), await lab.imageDigest()]).toEqual(before);
  expect(downloaded(month)).toEqual([]);
  // The check writes a file and deletes it; nothing else is ever uploaded.
  expect(uploaded(month)).toEqual([]);
  expect(month.log).toContain('Nothing is new: all zips and options are those of');
  expect(month.log).toContain('Nothing is built: the registry has');
  expect(month.log).toMatch(/Nothing to train: data, image, commands, GPUs and settings are those of version/);
});

test('April: an image under the wrong label is put right, and stays on its side', async () => {
  const [was] = (await newest(lab)).filter(({ sha256 }) => sha256 === sha256Of(MISFILED));
  await lab.collection.put('Navicula.zip', 'Navicula', specimensOf('Navicula', 0, 59));
  await lab.collection.put('Nitzschia.zip', 'Nitzschia', [...specimensOf('Nitzschia', 0, 60), MISFILED]);
  const [from, to] = [{ 'Relabelled from it': 1 }, { 'Relabelled to it': 1 }];
  await expectNewModel(lab, { Navicula: from, Nitzschia: to });
  const [is] = (await newest(lab)).filter(({ sha256 }) => sha256 === sha256Of(MISFILED));
  expect([was?.label, is?.label]).toEqual(['Navicula', 'Nitzschia']);
  expect(is?.split).toBe(was?.split);
});

test('May: a new species waits until somebody says that the classes may change', async () => {
  await lab.collection.put('Ulnaria.zip', 'Ulnaria', specimensOf('Ulnaria', 0, 40));
  const base = (await archives(server)).at(-1);
  const { error, month: refused } = await expectRefused(lab);
  await expectChangesSaid(lab, refused, { base, changes: { Ulnaria: { Added: 40 } } });
  expect(error).toContain('The classes differ from production’s (new: Ulnaria).');
  const { versions } = await stateOf(lab);
  const month = await lab.start({ inputs: { 'allow-class-change': 'true', 'allow-worse': 'true' } });
  expect(month).toMatchObject({ exitCode: 0 });
  expect(await stateOf(lab)).toMatchObject({ versions, production: versions.at(-1) });
});

test('June: a zip is gone, which is said, and the model is trained without it', async () => {
  await lab.collection.remove('Cocconeis-2.zip');
  const month = await expectNewModel(lab, { Cocconeis: { Removed: 30 } });
  expect(month.log).toContain('The class “Cocconeis” has lost 30 of the 90 images that it had.');
});

test('July: its images return in two zips, to the sides where they were', async () => {
  const february = await imagesOf(server, (await archives(server))[1] ?? '');
  await lab.collection.put('Cocconeis-2a.zip', 'Cocconeis', specimensOf('Cocconeis', 100, 15));
  await lab.collection.put('Cocconeis-2b.zip', 'Cocconeis', specimensOf('Cocconeis', 115, 15));
  await expectNewModel(lab, { Cocconeis: { Returned: 30 } });
  const after = await newest(lab);
  expect(sidesOf(after, february)).toEqual(sidesOf(february, february));
});

test('August: the server is away, which is one sentence; then it is back', async () => {
  await lab.collection.put('Fragilaria-2.zip', 'Fragilaria', specimensOf('Fragilaria', 100, 30));
  const errors = await lab.server.whileAway(() => expectRed(lab));
  const { host } = new URL(lab.server.url);
  for (const error of errors) expect(error.split(`The server ${host} refused the connection`)).toHaveLength(2);
  await expectNewModel(lab, { Fragilaria: { Added: 30 } });
});

test('September: the account is full, and nothing is lost; then there is space', async () => {
  await lab.collection.put('Nitzschia-2.zip', 'Nitzschia', specimensOf('Nitzschia', 100, 30));
  // As the check finds out in seconds; and when it fills up later.
  for (const fullAfter of [/./, /Check\/Check\].*Job succeeded/]) {
    const errors = await expectRed(lab, { fullAfter });
    expect(errors).toEqual(errors.map(() => expect.stringContaining('507')));
    await expectAllInOrder(lab);
  }
  // Full when the model is there, which GitHub keeps meanwhile.
  const before = await stateOf(lab);
  const trained = await lab.start({ fullAfter: /Train model *\].*Job succeeded/ });
  expect(trained).toMatchObject({ exitCode: 1, artifacts: ['model'] });
  expect(errorsOf(trained)).toEqual([
    expect.stringMatching(/507.*Nothing is lost: the model is in .*artifact “model”/),
  ]);
  await expectChangesSaid(lab, trained, { base: before.archives.at(-1), changes: { Nitzschia: { Added: 30 } } });
  expect(await stateOf(lab)).toEqual({ ...before, archives: [...before.archives, expect.any(String)] });
  await expectAllInOrder(lab);
  const month = await lab.start();
  expect(month).toMatchObject({ exitCode: 0 });
  expect(downloaded(month)).toEqual([]);
  const { versions, production } = await stateOf(lab);
  expect(versions).toEqual([...before.versions, production]);
});

test('October: GitHub takes no artifact, so the result goes to ownCloud, is published from there, and deleted', async () => {
  await lab.collection.put('Ulnaria-2.zip', 'Ulnaria', specimensOf('Ulnaria', 100, 30));
  const month = await expectNewModel(lab, { Ulnaria: { Added: 30 } }, { artifactsRefused: true });
  expect(month.artifacts).toEqual([]);
  expect(month.log).toMatch(/data sets\/unpublished\/\d+-model/);
});

test('November: a worse model and one that lost a species stay out; one is promoted by hand, and rolled back', async () => {
  const good = (await stateOf(lab)).production;
  const { error } = await expectRefused(lab, { inputs: { 'train-env': 'DETAIL=3' } });
  expect(error).toContain('worse than production');
  const blind = { inputs: { 'train-env': 'BLIND_TO=Ulnaria' } };
  expect((await expectRefused(lab, blind)).error).toMatch(/Worse than in production: .*Ulnaria/);
  await expectRefusalRemembered(blind);
  const lost = (await stateOf(lab)).versions.at(-1) ?? '';
  for (const [version, expected] of [
    [lost, lost],
    ['previous', good],
  ] as const) {
    expect(await lab.start({ template: 'roll-back.yml', inputs: { version } })).toMatchObject({ exitCode: 0 });
    expect((await stateOf(lab)).production).toBe(expected);
    await expectAllInOrder(lab);
  }
});

/** Started again with nothing changed: the version is named with the reason, and neither trained again nor red. */
async function expectRefusalRemembered(options: Start): Promise<void> {
  const before = await stateOf(lab);
  const month = await lab.start(options);
  expect(month).toMatchObject({ exitCode: 0, artifacts: [] });
  expect(await stateOf(lab)).toEqual(before);
  expect(month.log).toContain(`those of version ${before.versions.at(-1)}`);
  expect(month.log).toMatch(/Worse than in production: .*Ulnaria/);
}

test('December: a month without publishing; then its result is published without training', async () => {
  await lab.collection.put('Achnanthidium-2.zip', 'Achnanthidium', specimensOf('Achnanthidium', 100, 30));
  const before = await stateOf(lab);
  const trained = await lab.start({ given: { publish: 'false' } });
  expect(trained).toMatchObject({ exitCode: 0 });
  expect(await stateOf(lab)).toEqual({ ...before, archives: [...before.archives, expect.any(String)] });
  expect(await unpublished(server)).toHaveLength(1);
  const published = await lab.start();
  expect(published).toMatchObject({ exitCode: 0, artifacts: [] });
  const { versions, production } = await stateOf(lab);
  expect(versions).toEqual([...before.versions, production]);
});

test('New Year’s Eve: two runs start at once, and what comes of it is what one of them has made', async () => {
  await lab.collection.put('Encyonema-3.zip', 'Encyonema', specimensOf('Encyonema', 200, 30));
  const before = await stateOf(lab);
  const both = await Promise.all([lab.start(), lab.start()]);
  const red = both.filter(({ exitCode }) => exitCode !== 0);
  expect(red.length).toBeLessThan(2);
  for (const month of red) expect(errorsOf(month)).toEqual([expect.stringMatching(/Start again|already/)]);
  const after = await stateOf(lab);
  expect(after.versions.slice(0, before.versions.length)).toEqual(before.versions);
  expect(before.versions).not.toContain(after.production);
  // Whatever is still to do is done by the next run, which draws nothing again.
  const next = await lab.start();
  expect(next).toMatchObject({ exitCode: 0 });
  expect((await stateOf(lab)).archives).toEqual(after.archives);
  expect(downloaded(next)).toEqual([]);
});

test('what act lacks, by the text of the workflows: all runs wait their turn, and consent is asked where nobody waits', () => {
  const file = (folder: Parameters<typeof workflowFiles>[0], name: string) =>
    workflowFiles(folder).find((workflow) => workflow.name === name)?.workflow.jobs ?? {};
  const { pipeline, promote } = file('templates/workflows', 'pipeline');
  expect(pipeline?.concurrency).toEqual({ group: 'diatom-model', queue: 'max' });
  expect(pipeline?.with).toMatchObject({ promote: false });
  expect(promote?.concurrency).toBeUndefined();
  expect(file('.github/workflows', 'publish-model')['promote']?.environment).toContain('.environment');
});
