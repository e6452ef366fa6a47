import { probeDownload } from '../download/probe.ts';
import { formatBytes } from '../format.ts';
import { freeBytes } from '../free-bytes.ts';
import { checkWriteAccess } from '../owncloud/check-access.ts';
import { mapParallel } from '../parallel.ts';
import { type Finding, find } from '../runner/findings.ts';
import { checkGate } from './check-gate.ts';
import { checkDataDir } from './data-dir.ts';
import { bytesNeeded, diskAdvice, spaceSentence } from './disk-space.ts';
import type { Inputs, StepOutcome, UploadInputs } from './inputs.ts';
import type { RunContext } from './prepare.ts';

/**
 * Finds out in seconds whether a run would succeed: every address by its first bytes, sign-in, writing and deleting on
 * the server, the data folder, free disk. The file list and all inputs were checked when they were read.
 */
export async function check(inputs: Inputs, context: Pick<RunContext, 'http' | 'signal'>): Promise<Finding[]> {
  const { fileList, upload } = inputs;
  const labels = new Set(fileList.map(({ speciesLabel }) => speciesLabel));
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
  const server = upload && find('ownCloud', context.signal, () => checkServer(upload, context));
  const folder = find('data-dir', context.signal, async () => {
    await checkDataDir(inputs.dataDir, inputs.workspace);
    return `${inputs.dataDir} may be used`;
  });
  const [zips, others] = await Promise.all([downloads, Promise.all([folder, ...(server ? [server] : [])])]);
  const list = {
    subject: 'File list',
    ok: true,
    sentence: `${count(fileList.length, 'zip')}, ${count(labels.size, 'label')}`,
  };
  const disk = await find('Disk', context.signal, () => checkDisk(inputs, sizes));
  const gate =
    inputs.gate === '' ? [] : [await find('Gate', context.signal, async () => checkGate(inputs.gate, labels))];
  return [list, ...zips, ...others, disk, ...gate, ...inputs.alsoChecked.map(findingOf)];
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

async function checkServer(
  upload: UploadInputs,
  { http, signal }: Pick<RunContext, 'http' | 'signal'>,
): Promise<string> {
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  const { connect } = await import('../owncloud/connect.ts');
  const remote = await connect(upload, { http, signal, onWarning });
  await checkWriteAccess(remote, upload.folder, { signal, onWarning });
  const folder = upload.folder === '' ? 'the top folder' : `“${upload.folder}”`;
  const did = remote.access === 'full' ? `signed in, wrote and deleted a file in ${folder}` : 'signed in';
  return [`${remote.description}: ${did}`, ...warnings].join('. ');
}

async function checkDisk(inputs: Inputs, sizes: readonly (number | undefined)[]): Promise<string> {
  const zips = sizes.filter((size) => size !== undefined);
  // Images are hardly smaller in a zip.
  const need = bytesNeeded({ zips, images: zips.reduce((sum, size) => sum + size, 0) }, inputs);
  const free = await freeBytes(inputs.workspace);
  const some = zips.length < inputs.fileList.length ? ' (at least: not every size is known)' : '';
  const sentence = `${spaceSentence(need, free, inputs.workspace)}${some}`;
  if (need > free) throw new Error(`${sentence}. ${diskAdvice(inputs)}`);
  return sentence;
}
