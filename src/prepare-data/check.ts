import { freeBytes } from '../files/free-bytes.ts';
import { formatBytes } from '../format.ts';
import { PREFLIGHT_POLICY } from '../http/retry.ts';
import { checkWriteAccess } from '../owncloud/check-access.ts';
import { requireSpaceOnServer } from '../owncloud/free-space.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import type { Remote } from '../owncloud/remote.ts';
import { type Finding, find } from '../runner/findings.ts';
import { checkGate } from './check-gate.ts';
import { checkZips, type SeenZips, standingZips } from './check-zips.ts';
import { serversSaySame } from './compare-sources.ts';
import { checkDataDir } from './data-dir.ts';
import { archiveBytes, bytesNeeded, type DiskSizes, diskAdvice, spaceSentence } from './disk-space.ts';
import { findPrevious, type Previous } from './find-previous.ts';
import type { Inputs, StepOutcome } from './inputs.ts';
import { findLastArchive, type LastArchive } from './last-archive.ts';
import { checkNumbers, createLine, type Line } from './line.ts';
import type { Base } from './previous.ts';
import type { RunContext } from './run-context.ts';

/**
 * Finds out in seconds whether a run would succeed: sign-in, writing and deleting on the server, the data set before, the
 * zips, the data folder, free disk. The file list and all inputs were checked when they were read. Where nothing is new, no
 * zip is read.
 */
export async function check(
  inputs: Inputs,
  context: Pick<RunContext, 'http' | 'signal' | 'now'>,
): Promise<readonly Finding[]> {
  const { signal } = context;
  const server = await checkServer(inputs, context);
  const zips = server.standing ? standingZips(server.standing) : await checkZips(inputs, context);
  const findings = [
    ...zips.findings,
    await find('data-dir', signal, async () => {
      await checkDataDir(inputs.dataDir, inputs.workspace);
      return `${inputs.dataDir} may be used`;
    }),
    ...server.findings,
  ];
  const { upload, gate, shrink } = inputs;
  const { remote, base } = server;
  if (upload && remote && !server.standing) {
    const place = { remote, folder: upload.folder };
    const space = await find('Space on the server', signal, () => checkSpace(place, inputs, zips.sizes, signal));
    // Many servers don’t say, and of most accounts nobody has limited it.
    if (space.sentence !== '') findings.push(space);
  }
  if (base) findings.push(await find('Classes', signal, async () => checkClasses(createLine(base), zips, shrink)));
  findings.push(await find('Disk', signal, () => checkDisk(inputs, zips.sizes)));
  if (gate !== '') findings.push(await find('Gate', signal, async () => checkGate(gate, zips.labels, zips.open > 0)));
  return [...findings, ...inputs.alsoChecked.map(findingOf)];
}

/** What another step has found out. */
function findingOf({ name, outcome }: StepOutcome): Finding {
  if (outcome === 'success') return { subject: name, ok: true, sentence: 'ready' };
  if (outcome === 'skipped') return { subject: name, ok: true, sentence: 'not checked' };
  return { subject: name, ok: false, sentence: 'not ready: the log of its step says why' };
}

interface SeenServer {
  readonly findings: readonly Finding[];
  /** `undefined` where none was signed in to. */
  readonly remote: Remote | undefined;
  /** The data set before. */
  readonly base: Base | undefined;
  /** The last archive, when a run would find that nothing is new. */
  readonly standing: LastArchive | undefined;
}

/** Server and data set before: the second is only looked for where the first can be signed in to. */
async function checkServer(inputs: Inputs, context: Pick<RunContext, 'http' | 'signal' | 'now'>): Promise<SeenServer> {
  const { upload, plan } = inputs;
  const { signal } = context;
  const findings: Finding[] = [];
  let remote: Remote | undefined;
  let previous: Previous | undefined;
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
  if (remote || !upload) {
    const before = await find('Data set before', signal, async () => {
      previous = await findPrevious(inputs, remote, context);
      return previousSentence(previous);
    });
    if (plan.split === 'keep') findings.push(before);
  }
  const last = remote && previous && (await findLastArchive(inputs, { remote, ...previous }, signal));
  const isSame = last && (await serversSaySame(inputs, last.record.entries, context));
  return { findings, remote, base: previous?.base, standing: isSame ? last : undefined };
}

async function checkWriting(
  remote: Remote,
  folder: string,
  { warnings, ...options }: RemoteOptions & { readonly warnings: readonly string[] },
): Promise<string> {
  const trial = await checkWriteAccess(remote, folder, options);
  const where = folder === '' ? 'the top folder' : `“${folder}”`;
  const did = trial === 'tried' ? `signed in, wrote and deleted a file in ${where}` : 'signed in';
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

/** Whether classes of the data set before are there, and may have as many images as then. */
function checkClasses(
  line: Line,
  { labels, images, isPartly, open }: SeenZips,
  shrink: Inputs['shrink'],
): Pick<Finding, 'isWarning' | 'sentence'> {
  if (open > 0) {
    return { sentence: 'whether all classes of the data set before are there, only the folders of the zips tell' };
  }
  const most = new Map([...labels].map((label) => [label, isPartly ? Infinity : (images.get(label) ?? 0)]));
  const fewer = checkNumbers(line, most, shrink);
  if (fewer.length > 0) return { isWarning: true, sentence: fewer.join(' ') };
  return { sentence: 'all classes of the data set before are there' };
}

/** Images, which are mostly compressed, are hardly smaller in a zip. */
function sizesOfZips(sizes: readonly (number | undefined)[]): DiskSizes {
  const zips = sizes.filter((size) => size !== undefined);
  return { zips, images: zips.reduce((sum, size) => sum + size, 0) };
}

async function checkDisk(inputs: Inputs, sizes: readonly (number | undefined)[]): Promise<string> {
  const known = sizesOfZips(sizes);
  const free = await freeBytes(inputs.workspace);
  if (known.zips.length === 0) {
    return `${formatBytes(free)} free at ${inputs.workspace}; how much is needed is not known: no server tells the size of a zip`;
  }
  const need = bytesNeeded(known, inputs);
  const some = known.zips.length < sizes.length ? ' (at least: not every size is known)' : '';
  const sentence = `${spaceSentence(need, free, inputs.workspace)}${some}`;
  if (need > free) throw new Error(`${sentence}. ${diskAdvice(inputs)}`);
  return sentence;
}
