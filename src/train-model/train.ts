import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import { BECAME_WRONG_FILE } from '../model/compared-images.ts';
import { connect } from '../owncloud/connect.ts';
import { markOf } from '../owncloud/leftovers.ts';
import type { Remote } from '../owncloud/remote.ts';
import { group, info } from '../runner/log.ts';
import { openApptainer } from './apptainer-engine.ts';
import { becameWrongPage } from './became-wrong.ts';
import { addToCard } from './card-comparison.ts';
import { type Checkpoints, openCheckpoints } from './checkpoints.ts';
import { commandFailure, oneLine } from './command-failure.ts';
import { type Comparison, classesWithout, comparisonJson, makeTestFolder, unseenImages, whyTooFew } from './compare.ts';
import { type BestRequest, compareWithBest, withBest } from './compare-best.ts';
import { DATA_DIR, type Mount, type Nodes, OUTPUT_DIR } from './container.ts';
import { type Dataset, fetchDataset } from './dataset.ts';
import { checkDataset, maxBrokenOf } from './dataset-check.ts';
import { openDocker } from './docker-engine.ts';
import type { Engine, PreparedImage } from './engine.ts';
import { type Metrics, readHistory, readMetrics, readTrained } from './evaluation.ts';
import { copyNeeded, fetchProduction } from './fetch-production.ts';
import { type DatasetImage, parseTrainingImages, readImages, trainingImagesCsv } from './images.ts';
import type { Inputs } from './inputs.ts';
import { checkOutputDir, openOutputDir, writeOutput } from './output-dir.ts';
import { giveTo } from './ownership.ts';
import { readAnswers } from './predictions.ts';
import { provenanceJson } from './provenance.ts';
import { checkRoom } from './room.ts';
import { slurmNodes, torchrunEnv } from './slurm-nodes.ts';
import type { Results } from './summary.ts';

export interface RunContext {
  readonly http: HttpClient;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** The container's name, known before it exists. */
  readonly containerName: string;
  /** A folder of this run that nobody else can read, which the caller deletes. */
  readonly workDir: string;
  readonly graceSeconds: () => number;
  /** Told what is known as soon as it is, so that it is not lost when a later stage fails. */
  readonly onResult: (result: Partial<Results>) => void;
  readonly onWarning: (message: string) => void;
  /** See `openCheckpoints`. */
  readonly onKept: (place: string) => void;
  /** Told before there is a container, or anything in the output folder. */
  readonly onStart: () => void;
}

/**
 * The whole of the action, from checked inputs to a model with its evaluation in the output folder.
 *
 * @returns what is to be deleted when the result is safe
 */
export async function train(inputs: Inputs, context: RunContext): Promise<Checkpoints | undefined> {
  const { outputDir, workspace } = inputs;
  const { signal, onResult } = context;
  // What can be refused in seconds is, before hours of downloading and training.
  await checkOutputDir(outputDir, workspace);
  const remote = await signIn(inputs, context);
  const nodes = slurmNodes(context.env, inputs);
  const engine = await openEngine(inputs, context.workDir);
  const image = await group('Image', () => engine.prepareImage(inputs.image, inputs.registry, signal));
  onResult({ imageDigest: image.digest });
  const dataset = await group('Data set', () => fetchDataset(inputs, { ...context, remote }));
  onResult({ dataset });
  info(`Data set ${dataset.name}: ${dataset.labels.length} classes, seed ${dataset.seed ?? 'not known'}`);
  const { onWarning } = context;
  await checkDataset(dataset.folder, { maxBroken: maxBrokenOf(inputs.env), signal, onWarning });
  await checkRoom({ outputDir, onWarning });

  const checkpoints = await openCheckpoints({ inputs, context, image, dataset, remote });
  const station: Station = { inputs, context, engine, image, dataset, nodes };
  context.onStart();
  await openOutputDir(outputDir, workspace, [inputs.image, dataset.sha256 ?? dataset.name, inputs.trainCommand]);
  await checkpoints?.restore();
  const images = await group('Train', () => trainModel(station, checkpoints));
  onResult({ metrics: await group('Test', () => testModel(station)) });
  if (inputs.compareWith !== '') await addComparison(station, images, remote);
  return checkpoints;
}

/** What comes of the comparison with production, where there is one to compare with. */
async function addComparison(
  station: Station,
  images: readonly DatasetImage[],
  remote: Remote | undefined,
): Promise<void> {
  const { inputs, context, dataset } = station;
  const { outputDir } = inputs;
  const comparison = await group('Compare', () => compare(station, images, remote));
  if (!comparison) return;
  await writeOutput(outputDir, 'comparison.json', comparisonJson(comparison));
  await addToCard(outputDir, comparison);
  context.onResult({ comparison });
  const page = await becameWrongPage(dataset.folder, comparison.images ?? [], comparison.productionVersion);
  if (page !== undefined) await writeOutput(outputDir, BECAME_WRONG_FILE, page);
}

/** What all containers of a run have in common. */
interface Station {
  readonly inputs: Inputs;
  readonly context: RunContext;
  readonly engine: Engine;
  readonly image: PreparedImage;
  readonly dataset: Dataset;
  /** What the training runs on, if on several; the test needs one. */
  readonly nodes: Nodes | undefined;
}

async function signIn({ owncloud }: Inputs, { http, env, signal, onWarning }: RunContext): Promise<Remote | undefined> {
  if (!owncloud) return undefined;
  return group('Sign in', async () => {
    const mark = markOf(env['GITHUB_REPOSITORY'], env['GITHUB_RUN_ID']);
    const remote = await connect(owncloud, { http, signal, onWarning, mark });
    info(`Signed in: ${remote.description}.`);
    return remote;
  });
}

function openEngine({ engine, workspace }: Inputs, workDir: string): Promise<Engine> {
  return engine === 'apptainer' ? openApptainer(workDir, workspace) : openDocker(engine, workDir);
}

/** Trains, checks what came of it, and adds what the model's images and origin are. */
async function trainModel(station: Station, checkpoints: Checkpoints | undefined): Promise<DatasetImage[]> {
  const { inputs, context, image, dataset } = station;
  const { outputDir } = inputs;
  const images = await readImages(dataset.folder, context.signal);
  const provenance = { inputs, imageDigest: image.digest, dataset };
  const command = () => runCommand(station, { input: 'train-command', outputDir });
  try {
    await (checkpoints ? checkpoints.during(command) : command());
  } finally {
    context.onResult({ history: await readHistory(outputDir) });
  }
  await readTrained(outputDir);
  await writeOutput(outputDir, 'training-images.csv', trainingImagesCsv(images));
  await writeOutput(outputDir, 'provenance.json', provenanceJson(provenance));
  return images;
}

async function testModel(station: Station): Promise<Metrics> {
  const { inputs, context } = station;
  const { outputDir } = inputs;
  await runCommand(station, { input: 'test-command', outputDir });
  const metrics = await readMetrics(outputDir);
  info(`Accuracy ${metrics.accuracy.toFixed(4)}, macro-F1 ${metrics.macroF1.toFixed(4)}`);
  if (metrics.seenInTraining) {
    context.onWarning(
      `${metrics.seenInTraining} of the test images, or of their groups, were seen in training: the figures are too good. Prepare the data set again.`,
    );
  }
  if (metrics.notRgb) {
    context.onWarning(
      `${metrics.notRgb} of ${metrics.images ?? 'the'} test images are not RGB. The figures count them, converted; the group’s serving code fails on such images, unless whoever sends them converts them first.`,
    );
  }
  for (const warning of metrics.warnings) context.onWarning(warning);
  if (metrics.baseline && !metrics.baseline.isBeaten) context.onWarning(metrics.baseline.sentence);
  return metrics;
}

/** Tests this model and the one of `compare-with` on what neither has seen; `undefined` when that can't be done. */
async function compare(
  station: Station,
  images: readonly DatasetImage[],
  remote: Remote | undefined,
): Promise<Comparison | undefined> {
  const { inputs, context } = station;
  const { workDir, signal, onWarning } = context;
  const { compareWith: place, workspace, outputDir } = inputs;
  const folder = join(workDir, 'compare');
  const production = await fetchProduction({ place, workspace, remote, signal }, join(folder, 'production'));
  if (!production) {
    info(`There is no model in ${place} yet: nothing to compare with.`);
    return undefined;
  }
  const labels = await readTrained(outputDir);
  if (JSON.stringify(production.labels) !== JSON.stringify(labels)) {
    onWarning(
      `The model was not compared with ${place}: they know different classes (${labels.join(', ')}; there ${production.labels.join(', ')}).`,
    );
    return undefined;
  }
  const own = parseTrainingImages(trainingImagesCsv(images));
  if (!production.training || !own) {
    onWarning(
      `The model was not compared with ${place}: which images that one was trained on is not known (it has no training-images.csv), so any of the test images could be among them.`,
    );
    return undefined;
  }
  const unseen = unseenImages(images, [own, production.training]);
  const facts = {
    productionVersion: production.version,
    total: images.filter(({ split }) => split === 'test').length,
    compared: unseen.length,
    tooFew: whyTooFew(unseen, labels),
  };
  info(`${facts.compared} of ${facts.total} test images are new to this model and to ${production.version ?? place}.`);
  if (facts.tooFew !== undefined) onWarning(`Too few images for a comparison with ${place}: ${facts.tooFew}.`);
  if (classesWithout(unseen, labels).length > 0) {
    return { ...facts, scores: undefined, images: undefined, best: undefined };
  }
  try {
    return { ...facts, ...(await testBoth(station, { remote, production, unseen, labels, folder })) };
  } catch (error) {
    // The model is trained and tested: that the other one does not run in this image must not lose it.
    if (!(error instanceof DiatomError) || (error.code !== 'CONTAINER' && error.code !== 'MODEL')) throw error;
    onWarning(`The model was not compared with ${place}: ${error.message}`);
    return undefined;
  }
}

interface Rivals extends Pick<BestRequest, 'remote' | 'production' | 'unseen' | 'labels'> {
  /** Holds all that is needed for a comparison. */
  readonly folder: string;
}

/** Tests the model, production's, and the best other one that was there, on the same images. */
async function testBoth(
  station: Station,
  { folder, ...rivals }: Rivals,
): Promise<Pick<Comparison, 'scores' | 'images' | 'best'>> {
  const { inputs, context, dataset } = station;
  const { signal, onWarning } = context;
  const { compareWith: place, workspace, outputDir } = inputs;
  const { production, unseen, labels } = rivals;
  const testData = join(folder, 'data');
  await makeTestFolder(dataset.folder, unseen, testData, signal);
  const candidate = join(folder, 'candidate');
  await mkdir(candidate);
  await copyNeeded(outputDir, candidate);
  const test = (model: string) => testElsewhere(station, testData, model);
  const scores = { candidate: await test(candidate), production: await test(production.folder) };
  const images = await readAnswers({ candidate, production: production.folder }, unseen, labels, onWarning);
  if (!images || whyTooFew(unseen, labels) !== undefined) return { scores, images, best: undefined };
  const others = { place, workspace, candidate, target: join(folder, 'best') };
  const { best, answers } = await compareWithBest({ ...rivals, ...others, test, signal, onWarning });
  return { scores, images: withBest(images, answers), best };
}

async function testElsewhere(station: Station, testData: string, outputDir: string): Promise<Metrics> {
  await runCommand(station, { input: 'test-command', outputDir, testData });
  return readMetrics(outputDir);
}

interface Task {
  readonly input: 'train-command' | 'test-command';
  /** Receives what the command writes; for a test it holds the model. */
  readonly outputDir: string;
  /** A folder with other test images than the data set's. */
  readonly testData?: string;
}

/** @throws DiatomError `CONTAINER` unless the command ends with 0 */
async function runCommand({ inputs, context, engine, image, dataset, ...station }: Station, task: Task): Promise<void> {
  const { signal, containerName, graceSeconds } = context;
  const { outputDir, testData } = task;
  const command = task.input === 'train-command' ? inputs.trainCommand : inputs.testCommand;
  const contract: [string, string][] = [
    ['DATA_DIR', DATA_DIR],
    ['OUTPUT_DIR', OUTPUT_DIR],
    ...(inputs.settings?.commit ? [['SETTINGS_COMMIT', inputs.settings.commit] satisfies [string, string]] : []),
    ['HOME', '/tmp'],
    ...(task.input === 'test-command' ? [['WEIGHTS', `${OUTPUT_DIR}/model.pth`] satisfies [string, string]] : []),
  ];
  const nodes = task.input === 'train-command' ? station.nodes : undefined;
  const together = nodes ? await torchrunEnv(nodes, inputs.gpus) : [];
  // A user number without a name makes libraries fail that ask for one, unless the environment tells them.
  const env = new Map([['USER', 'diatom'], ...inputs.env, ...together, ...contract]);
  const data: Mount = { source: testData ?? dataset.folder, target: DATA_DIR, readOnly: true };
  const wholeTrain: Mount = { source: join(dataset.folder, 'train'), target: `${DATA_DIR}/train`, readOnly: true };
  const mounts = [
    data,
    ...(testData === undefined ? [] : [wholeTrain]),
    { source: outputDir, target: OUTPUT_DIR, readOnly: false },
  ];
  info(`Running in the container${nodes ? ` on each of ${nodes.count} nodes` : ''}: ${oneLine(command)}`);
  const { network, gpus, shmSize } = inputs;
  const how = { network, gpus, shmSize, nodes };
  const container = { name: containerName, image: image.reference, command, mounts, env, ...how };
  const ended = await asOwner(engine, outputDir, () => engine.run(container, { signal, graceSeconds }));
  throwIfCancelled(signal);
  if (ended.exitCode !== 0) throw commandFailure(task.input, command, ended);
}

/** While a container runs, its output folder belongs to its user; afterwards to the runner's again, whatever happened. */
async function asOwner<T>({ foreignOwner }: Engine, folder: string, stage: () => Promise<T>): Promise<T> {
  if (!foreignOwner) return stage();
  await giveTo(folder, foreignOwner);
  try {
    return await stage();
  } finally {
    await giveTo(folder, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  }
}
