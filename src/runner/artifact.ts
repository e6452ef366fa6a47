import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { formatDuration } from '../format.ts';
import { info, warn } from './log.ts';

export interface Artifact {
  readonly name: string;
  /** Absolute paths below `root`. */
  readonly files: readonly string[];
  readonly root: string;
  /** After how many days GitHub deletes it; `undefined`: as the repository says. */
  readonly retentionDays?: number | undefined;
  /** Not zipped: of one file, whose name is then the artifact's. */
  readonly asItIs?: boolean | undefined;
}

/** How patiently an upload is tried. Milliseconds. */
export interface Patience {
  /** The wait before each further try. */
  readonly waitsMs: readonly number[];
  /** A try that takes longer is given up, and is the last one: nobody can end it. */
  readonly limitMs: number;
}

/** What became of an artifact. `name` may have got a number; `hangs`: a try goes on that nobody waits for any more. */
export type ArtifactResult =
  | { readonly stored: true; readonly name: string }
  | { readonly stored: false; readonly reason: string; readonly hangs: boolean };

/**
 * Uploads files as a workflow artifact. Where there is no artifact service (a terminal, GitHub Enterprise Server, a
 * network that blocks it) that is a warning: the files are in the workspace anyway.
 *
 * @param files absolute paths below `root`
 * @returns whether the artifact is there
 */
export async function uploadArtifact(name: string, files: string[], root: string): Promise<boolean> {
  try {
    await upload({ name, files, root });
    return true;
  } catch (error) {
    warn(`Artifact “${name}” was not uploaded: ${sentence(messageOf(error))} The files are still in ${root}.`);
    return false;
  }
}

/** Uploads one file as a workflow artifact of its name, as it is; otherwise as `uploadArtifact`. */
export async function uploadFileArtifact(path: string): Promise<boolean> {
  try {
    await upload({ name: basename(path), files: [path], root: dirname(path), asItIs: true });
    return true;
  } catch (error) {
    warn(`Artifact “${basename(path)}” was not uploaded: ${sentence(messageOf(error))}`);
    return false;
  }
}

/**
 * Uploads files as a workflow artifact, and again when that fails, whatever the cause: GitHub counts its quota again
 * from time to time. A later try has another name, as GitHub takes none twice, however far the try before has come.
 */
export async function uploadPatiently(artifact: Artifact, { waitsMs, limitMs }: Patience): Promise<ArtifactResult> {
  for (let number = 1; ; number++) {
    const name = number === 1 ? artifact.name : `${artifact.name}-${number}`;
    const outcome = await withinLimit(upload({ ...artifact, name }), limitMs);
    if (outcome === undefined) return { stored: true, name };
    const wait = waitsMs[number - 1];
    const { reason, hangs, inVain } = outcome;
    if (hangs || inVain || wait === undefined) return { stored: false, reason, hangs };
    info(`Artifact “${name}” was not uploaded: ${reason} The next try is in ${formatDuration(wait / 1_000)}.`);
    await sleep(wait);
  }
}

async function upload({ name, files, root, retentionDays, asItIs = false }: Artifact): Promise<void> {
  // The client brings the Azure SDK along, most of the code of this action: it is loaded only when it is needed.
  const { DefaultArtifactClient } = await import('@actions/artifact');
  const options = { skipArchive: asItIs, ...(retentionDays === undefined ? {} : { retentionDays }) };
  const { size } = await new DefaultArtifactClient().uploadArtifact(name, [...files], root, options);
  info(`Artifact “${name}”: ${files.length} files, ${size ?? 0} bytes.`);
}

interface Failure {
  readonly reason: string;
  readonly hangs: boolean;
  readonly inVain: boolean;
}

/** The client has no way to end an upload, and waits for some answers for as long as the connection is there. */
async function withinLimit(work: Promise<void>, limitMs: number): Promise<Failure | undefined> {
  const { promise: limit, resolve } = Promise.withResolvers<Failure>();
  const reason = `GitHub had not taken it after ${formatDuration(limitMs / 1_000)}.`;
  const timer = setTimeout(() => resolve({ reason, hangs: true, inVain: false }), limitMs);
  const failed = (error: unknown): Failure => {
    const message = messageOf(error);
    // What the client itself gives up on for that reason goes on, too.
    return { reason: sentence(message), hangs: message.includes('stalled'), inVain: isInVain(error) };
  };
  const outcome = await Promise.race([work.then(() => undefined, failed), limit]);
  clearTimeout(timer);
  return outcome;
}

/** There is no service, and there will be none: outside of a runner, and on GitHub Enterprise Server. */
function isInVain(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'GHESNotSupportedError' || /^Unable to get the ACTIONS_/.test(error.message))
  );
}

function sentence(text: string): string {
  return text.trim().replace(/\.?$/, '.');
}
