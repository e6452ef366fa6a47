import { takesEveryFolder } from '../dataset/file-list.ts';
import { oncePerZip } from '../dataset/one-zip.ts';
import { probeDownload } from '../download/probe.ts';
import { formatBytes } from '../format.ts';
import { freeBytes } from '../free-bytes.ts';
import { PREFLIGHT_POLICY } from '../http/retry.ts';
import { checkWriteAccess } from '../owncloud/check-access.ts';
import type { Remote } from '../owncloud/connect.ts';
import { requireSpaceOnServer } from '../owncloud/free-space.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { mapParallel } from '../parallel.ts';
import { type Finding, find } from '../runner/findings.ts';
import { checkGate } from './check-gate.ts';
import { checkDataDir } from './data-dir.ts';
import { archiveBytes, bytesNeeded, type DiskSizes, diskAdvice, spaceSentence } from './disk-space.ts';
import { findPrevious, type Previous } from './find-previous.ts';
import type { Inputs, StepOutcome } from './inputs.ts';
import { type FoundLabel, labelsOfZip } from './labels-of-zip.ts';
import { checkNumbers, createLine, type Line } from './line.ts';
import type { RunContext } from './prepare.ts';
import type { Base } from './previous.ts';

/** How many labels of a zip a sentence names. */
const SHOWN_LABELS = 20;

/**
 * Finds out in seconds whether a run would succeed: every address by its first bytes, folders and labels by the zips'
 * directories where servers show these, sign-in, writing and deleting on the server, the data folder, free disk. The file
 * list and all inputs were checked when they were read.
 */
export async function check(inputs: Inputs, context: Pick<RunContext, 'http' | 'signal' | 'now'>): Promise<Finding[]> {
  const fileList = oncePerZip(inputs.fileList, ({ downloadedFileName }) => downloadedFileName);
  const named = inputs.fileList.filter((entry) => !takesEveryFolder(entry));
  const labels = new Set(named.map(({ speciesLabel }) => speciesLabel));
  const sizes: (number | undefined)[] = [];
  const images = new Map<string, number>();
  // Zips whose directories were not seen, and among them those whose folders are labels.
  const unseen = new Set(fileList.map(({ downloadedFileName }) => downloadedFileName));
  const open = new Set(inputs.fileList.filter(takesEveryFolder).map(({ downloadedFileName }) => downloadedFileName));
  const downloads = mapParallel(fileList, inputs.concurrency, (entry) =>
    find(entry.downloadedFileName, context.signal, async () => {
      const { bytes } = await probeDownload(entry.fileUrl, context);
      sizes.push(bytes);
      const had =
        bytes === undefined ? 'can be had; the server does not tell its size' : `can be had, ${formatBytes(bytes)}`;
      const found = await labelsOfZip(entry, inputs, context);
      if (!found) return had;
      unseen.delete(entry.downloadedFileName);
      for (const one of found) {
        labels.add(one.label);
        images.set(one.label, (images.get(one.label) ?? 0) + one.images);
      }
      return open.delete(entry.downloadedFileName) ? `${had}. Its folders: ${labelsWithImages(found)}` : had;
    }),
  );
  const servers = checkServers(
    inputs,
    context,
    downloads.then(() => sizes),
  );
  const folder = find('data-dir', context.signal, async () => {
    await checkDataDir(inputs.dataDir, inputs.workspace);
    return `${inputs.dataDir} may be used`;
  });
  const [zips, first, { findings: others, base }] = await Promise.all([downloads, folder, servers]);
  const empty = unseen.size > 0 ? [] : [...labels].filter((label) => !images.get(label));
  const sentence = `${count(fileList.length, 'zip')}, ${labelsSentence(labels.size, open.size)}`;
  const list = {
    subject: 'File list',
    ok: empty.length === 0,
    sentence:
      empty.length === 0 ? sentence : `${sentence}; no image of ${empty.map((label) => `“${label}”`).join(', ')}`,
  };
  const disk = await find('Disk', context.signal, () => checkDisk(inputs, sizes, fileList.length));
  const gate =
    inputs.gate === ''
      ? []
      : [await find('Gate', context.signal, async () => checkGate(inputs.gate, labels, open.size > 0))];
  const most = new Map([...labels].map((label) => [label, unseen.size > 0 ? Infinity : (images.get(label) ?? 0)]));
  const line = base && createLine(base);
  const classes = line
    ? [await find('Classes', context.signal, async () => checkClasses(line, most, open.size > 0, inputs.shrink))]
    : [];
  return [list, ...zips, first, ...others, ...classes, disk, ...gate, ...inputs.alsoChecked.map(findingOf)];
}

/** Labels and their numbers of images, of a zip that takes every folder. */
function labelsWithImages(found: readonly FoundLabel[]): string {
  const shown = found.slice(0, SHOWN_LABELS).map(({ label, images }) => `${label} (${count(images, 'image')})`);
  const more = found.length > shown.length ? ` and ${found.length - shown.length} more` : '';
  return `${shown.join(', ')}${more}`;
}

/** What every folder of a zip is named, only the zip tells, and not every server shows it without the whole zip. */
function labelsSentence(labels: number, open: number): string {
  const folders = `the folders of ${count(open, 'zip')}`;
  if (open === 0) return count(labels, 'label');
  return labels === 0 ? `a label for each of ${folders}` : `${count(labels, 'label')} and ${folders}`;
}

/** What another step has found out. */
function findingOf({ name, outcome }: StepOutcome): Finding {
  if (outcome === 'success') return { subject: name, ok: true, sentence: 'ready' };
  if (outcome === 'skipped') return { subject: name, ok: true, sentence: 'not checked' };
  return { subject: name, ok: false, sentence: 'not ready: the log of its step says why' };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Server and data set before: the second is only looked for where the first can be signed in to. */
async function checkServers(
  inputs: Inputs,
  context: Pick<RunContext, 'http' | 'signal' | 'now'>,
  zips: Promise<readonly (number | undefined)[]>,
): Promise<{ readonly findings: readonly Finding[]; readonly base: Base | undefined }> {
  const { upload, plan } = inputs;
  const { signal } = context;
  const findings: Finding[] = [];
  let remote: Remote | undefined;
  let base: Base | undefined;
  if (upload) {
    findings.push(
      await find('ownCloud', signal, async () => {
        const { connect } = await import('../owncloud/connect.ts');
        const warnings: string[] = [];
        const onWarning = (message: string) => warnings.push(message);
        remote = await connect(upload, { ...context, onWarning, policy: PREFLIGHT_POLICY });
        return checkWriting(remote, upload.folder, { signal, onWarning, warnings });
      }),
    );
  }
  if (upload && remote) {
    const place = { remote, folder: upload.folder };
    const space = await find('Space on the server', signal, async () => checkSpace(place, inputs, await zips, signal));
    // Many servers don’t say, and of most accounts nobody has limited it.
    if (space.sentence !== '') findings.push(space);
  }
  if (plan.split === 'keep' && (remote || !upload)) {
    findings.push(
      await find('Data set before', signal, async () => {
        const previous = await findPrevious(inputs, remote, context);
        base = previous.base;
        return previousSentence(previous);
      }),
    );
  }
  return { findings, base };
}

async function checkWriting(
  remote: Remote,
  folder: string,
  { warnings, ...options }: RemoteOptions & { readonly warnings: readonly string[] },
): Promise<string> {
  await checkWriteAccess(remote, folder, options);
  const where = folder === '' ? 'the top folder' : `“${folder}”`;
  const did = remote.access === 'full' ? `signed in, wrote and deleted a file in ${where}` : 'signed in';
  return [`${remote.description}: ${did}`, ...warnings].join('. ');
}

async function checkSpace(
  { remote, folder }: { readonly remote: Remote; readonly folder: string },
  inputs: Inputs,
  sizes: readonly (number | undefined)[],
  signal: AbortSignal,
): Promise<string> {
  const bytes = archiveBytes(sizesOfZips(sizes), inputs);
  const what =
    inputs.archiveContent === 'data' ? 'an archive of these zips with their images' : 'an archive of these images';
  const free = await requireSpaceOnServer(remote, { folder, bytes, what }, { signal });
  if (free === undefined) return '';
  return `${formatBytes(free)} left for this account, about ${formatBytes(bytes)} needed`;
}

function previousSentence({ base, warnings }: Previous): string {
  const found = base
    ? `${base.name}: the sides of ${base.images.length} images`
    : 'none: every image is new, and the first data set of a line is made';
  return [found, ...warnings].join('. ');
}

/**
 * Whether classes of the data set before are there, and may have as many images as then.
 *
 * @param most how many images each label has at most, as far as zips were seen
 * @param isOpen whether there are others, of zips whose folders were not seen
 */
function checkClasses(
  line: Line,
  most: ReadonlyMap<string, number>,
  isOpen: boolean,
  shrink: Inputs['shrink'],
): Pick<Finding, 'isWarning' | 'sentence'> {
  if (isOpen) {
    return { sentence: 'whether all classes of the data set before are there, only the folders of the zips tell' };
  }
  const fewer = checkNumbers(line, most, shrink);
  if (fewer.length > 0) return { isWarning: true, sentence: fewer.join(' ') };
  return { sentence: 'all classes of the data set before are there' };
}

/** Images, which are mostly compressed, are hardly smaller in a zip. */
function sizesOfZips(sizes: readonly (number | undefined)[]): DiskSizes {
  const zips = sizes.filter((size) => size !== undefined);
  return { zips, images: zips.reduce((sum, size) => sum + size, 0) };
}

async function checkDisk(inputs: Inputs, sizes: readonly (number | undefined)[], count: number): Promise<string> {
  const known = sizesOfZips(sizes);
  const need = bytesNeeded(known, inputs);
  const free = await freeBytes(inputs.workspace);
  const some = known.zips.length < count ? ' (at least: not every size is known)' : '';
  const sentence = `${spaceSentence(need, free, inputs.workspace)}${some}`;
  if (need > free) throw new Error(`${sentence}. ${diskAdvice(inputs)}`);
  return sentence;
}
