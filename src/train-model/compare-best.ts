import { mkdir } from 'node:fs/promises';
import { DiatomError, messageOf, throwIfCancelled } from '../errors.ts';
import { findBestOther } from '../model/best-version.ts';
import type { BestOfOthers, ComparedImage } from '../model/compared-images.ts';
import type { Remote } from '../owncloud/remote.ts';
import { info } from '../runner/log.ts';
import { ENOUGH_IMAGES, unseenImages } from './compare.ts';
import { fetchProduction, modelFolderOf, type Production } from './fetch-production.ts';
import type { DatasetImage } from './images.ts';
import { readAnswers } from './predictions.ts';

export interface BestRequest {
  /** The input `compare-with`. */
  readonly place: string;
  readonly workspace: string;
  readonly remote: Remote | undefined;
  readonly production: Production;
  readonly labels: readonly string[];
  /** The images that are new to the model and to production’s. */
  readonly unseen: readonly DatasetImage[];
  /** Where the model was tested on these. */
  readonly candidate: string;
  /** A folder for the other version; it need not exist. */
  readonly target: string;
  /** Tests the model that lies in a folder on these images. */
  readonly test: (folder: string) => Promise<unknown>;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
}

export interface BesideBest {
  readonly best: BestOfOthers | undefined;
  /** What that version takes the images for that it was not trained on either, by their paths. */
  readonly answers: ReadonlyMap<string, string>;
}

/**
 * Asks the best other version that was ever in production, too, so that production does not sink step by step. What keeps
 * it from being asked is said, and production alone counts then.
 *
 * @throws DiatomError `DISK`, `CANCELLED`
 */
export async function compareWithBest(request: BestRequest): Promise<BesideBest> {
  const { signal, onWarning } = request;
  let version: string | undefined;
  try {
    const best = await findBest(request);
    version = best?.version;
    if (version === undefined) return { best, answers: new Map() };
    info(`The best other version that was in production is ${version}.`);
    return { best, answers: await answersOf(version, request) };
  } catch (error) {
    throwIfCancelled(signal);
    if (!(error instanceof DiatomError) || error.code === 'DISK') throw error;
    const notCompared = messageOf(error).replace(/\.$/, '');
    const named = version === undefined ? '' : `, ${version}`;
    onWarning(`The model was not compared with the best other version that was in production${named}: ${notCompared}.`);
    return { best: { version, notCompared }, answers: new Map() };
  }
}

/** Versions lie beside production, on the server. */
async function findBest(request: BestRequest): Promise<BestOfOthers | undefined> {
  const { place, remote, production, labels: classes, signal } = request;
  const folder = modelFolderOf(place);
  if (!remote || production.isLocal || production.version === undefined || folder === undefined) return undefined;
  return findBestOther(remote, { folder, production: production.version, classes }, { signal });
}

async function answersOf(version: string, request: BestRequest): Promise<Map<string, string>> {
  const { workspace, remote, target, unseen, labels, candidate, signal } = request;
  const no = (why: string) => new DiatomError('MODEL', why);
  const tooFew = (count: number) =>
    no(`only ${count} test images are new to it as well, and at least ${ENOUGH_IMAGES} are needed`);
  const place = `${modelFolderOf(request.place)}/${version}`;
  await mkdir(target, { recursive: true });
  const best = await fetchProduction({ place, workspace, remote, signal }, target);
  if (!best) throw no('it is not there any more');
  if (!best.training) throw no('which images it was trained on is not known (it has no training-images.csv)');
  const alsoNew = unseenImages(unseen, [best.training]);
  if (alsoNew.length < ENOUGH_IMAGES) throw tooFew(alsoNew.length);
  await request.test(best.folder);
  let warning = '';
  const folders = { candidate, production: best.folder };
  const answers = await readAnswers(folders, unseen, labels, (message) => {
    warning = message;
  });
  if (!answers) throw no(warning);
  const paths = new Set(alsoNew.map(({ path }) => path));
  const counted = answers.filter(({ path }) => paths.has(path));
  // Of what is not answered nothing is known.
  if (counted.length < ENOUGH_IMAGES) throw tooFew(counted.length);
  return new Map(counted.map(({ path, production }) => [path, production]));
}

/** The images with what that version says to them. */
export function withBest(images: readonly ComparedImage[], answers: ReadonlyMap<string, string>): ComparedImage[] {
  return images.map((image) => {
    const best = answers.get(image.path);
    return best === undefined ? image : { ...image, best };
  });
}
