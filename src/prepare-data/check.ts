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
import { bytesNeeded, diskAdvice, spaceSentence } from './disk-space.ts';
import { findPrevious } from './find-previous.ts';
import type { Inputs, StepOutcome } from './inputs.ts';
import type { RunContext } from './prepare.ts';

/**
 * Finds out in seconds whether a run would succeed: every address by its first bytes, sign-in, writing and deleting on
 * the server, the data folder, free disk. The file list and all inputs were checked when they were read.
 */
export async function check(inputs: Inputs, context: Pick<RunContext, 'http' | 'signal' | 'now'>): Promise<Finding[]> {
  const fileList = oncePerZip(inputs.fileList, ({ downloadedFileName }) => downloadedFileName);
  const open = inputs.fileList.filter(takesEveryFolder);
  const named = inputs.fileList.filter((entry) => !takesEveryFolder(entry));
  const labels = new Set(named.map(({ speciesLabel }) => speciesLabel));
  const sizes: (number | undefined)[] = [];
  const downloads = mapParallel(fileList, inputs.concurrency, (entry) =>
    find(entry.downloadedFileName, context.signal, async () => {
      const { bytes } = await probeDownload(entry.fileUrl, context);
      sizes.push(bytes);
      return bytes === undefined
        ? 'can be had; the server does not tell its size'
        : `can be had, ${formatBytes(bytes)}`;
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
  const [zips, first, others] = await Promise.all([downloads, folder, servers]);
  const list = {
    subject: 'File list',
    ok: true,
    sentence: `${count(fileList.length, 'zip')}, ${labelsSentence(labels.size, open.length)}`,
  };
  const disk = await find('Disk', context.signal, () => checkDisk(inputs, sizes, fileList.length));
  const gate =
    inputs.gate === ''
      ? []
      : [await find('Gate', context.signal, async () => checkGate(inputs.gate, labels, open.length > 0))];
  return [list, ...zips, first, ...others, disk, ...gate, ...inputs.alsoChecked.map(findingOf)];
}

/** What every folder of a zip is named, only the zip tells. */
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
): Promise<Finding[]> {
  const { upload, plan } = inputs;
  const { signal } = context;
  const findings: Finding[] = [];
  let remote: Remote | undefined;
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
    findings.push(await find('Data set before', signal, () => checkPrevious(inputs, remote, context)));
  }
  return findings;
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

/** The archive is about as large as the zips: their images are compressed mostly. */
async function checkSpace(
  { remote, folder }: { readonly remote: Remote; readonly folder: string },
  { archiveContent }: Inputs,
  sizes: readonly (number | undefined)[],
  signal: AbortSignal,
): Promise<string> {
  const zips = sizes.reduce((sum: number, size = 0) => sum + size, 0);
  const bytes = archiveContent === 'data' ? 2 * zips : zips;
  const what = archiveContent === 'data' ? 'an archive of these zips with their images' : 'an archive of these images';
  const free = await requireSpaceOnServer(remote, { folder, bytes, what }, { signal });
  if (free === undefined) return '';
  return `${formatBytes(free)} left for this account, about ${formatBytes(bytes)} needed`;
}

async function checkPrevious(
  inputs: Inputs,
  remote: Remote | undefined,
  context: Pick<RunContext, 'signal' | 'now'>,
): Promise<string> {
  const { base, warnings } = await findPrevious(inputs, remote, context);
  const found = base
    ? `${base.name}: the sides of ${base.images.length} images`
    : 'none: every image is new, and the first data set of a line is made';
  return [found, ...warnings].join('. ');
}

async function checkDisk(inputs: Inputs, sizes: readonly (number | undefined)[], count: number): Promise<string> {
  const zips = sizes.filter((size) => size !== undefined);
  // Images are hardly smaller in a zip.
  const need = bytesNeeded({ zips, images: zips.reduce((sum, size) => sum + size, 0) }, inputs);
  const free = await freeBytes(inputs.workspace);
  const some = zips.length < count ? ' (at least: not every size is known)' : '';
  const sentence = `${spaceSentence(need, free, inputs.workspace)}${some}`;
  if (need > free) throw new Error(`${sentence}. ${diskAdvice(inputs)}`);
  return sentence;
}
