import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { startAction } from '../run-action.ts';
import { NAMES, ZIPS } from './images.ts';
import { type Figures, measure } from './measure.ts';
import type { Site } from './servers.ts';

export interface OwnFigures extends Figures {
  /** Where it was stored. */
  readonly archive: string;
  readonly archiveBytes: number;
}

/**
 * Prepares the images with the shipped bundle, in an empty folder, and looks whether what the server then has is the
 * archive.
 *
 * @param toolCache what the runner keeps for the next run; nothing is kept when it is left out
 */
export async function runOurs(
  site: Site,
  workspace: string,
  { inputs = {}, toolCache }: { readonly inputs?: Readonly<Record<string, string>>; readonly toolCache?: string } = {},
): Promise<OwnFigures> {
  const fileList = NAMES.map((name) => ({
    file_url: `${site.zipsUrl}${name}.zip`,
    downloaded_file_name: `${name}.zip`,
    exploded_folder_name: name,
    species_label: name,
  }));
  const action = startAction({
    action: 'prepare-data',
    workspace,
    inputs: {
      'file-list': JSON.stringify(fileList),
      seed: 'bench',
      'archive-content': 'results',
      'owncloud-url': site.owncloudUrl,
      'owncloud-username': site.username,
      'owncloud-password': site.password,
      ...inputs,
    },
    env: toolCache === undefined ? { RUNNER_ENVIRONMENT: 'github-hosted' } : { RUNNER_TOOL_CACHE: toolCache },
  });
  const figures = await measure(action.pid ?? 0, workspace, action.result);
  const { exitCode, stdout, outputs } = await action.result;
  if (exitCode !== 0 || outputs['test-count'] !== String(10 * ZIPS)) throw new Error(`The action failed:\n${stdout}`);
  const archive = inputs['upload'] === 'false' ? outputs['archive-path'] : await uploadedFile(site);
  if ((await sha256Of(archive ?? '')) !== outputs['archive-sha256'])
    throw new Error('What was stored is not the archive');
  return { ...figures, archive: archive ?? '', archiveBytes: Number(outputs['archive-bytes']) };
}

/** The same by hand: what a careful person writes who knows these programs, without any of our checks. */
const SHELL = `
mkdir extracted
curl -sSf --no-progress-meter --parallel --parallel-max 4 --config downloads.txt
ls *.zip | xargs -P ${availableParallelism()} -I{} unzip -q {} -d extracted
for species in extracted/*/; do
  label=$(basename "$species")
  mkdir -p train test/"$label"
  (cd "$species" && ls | shuf -n 10) | while read -r image; do mv "$species$image" test/"$label"/; done
  mv "$species" train/"$label"
done
zip -q -r -"$LEVEL" diatom_set.zip train test
curl -sSf -o /dev/null -u "$LOGIN" -T diatom_set.zip "$TARGET"diatom_set.zip
rm diatom_set.zip
`;

/**
 * Prepares the images with curl, unzip, shuf, mv, zip and curl, in an empty folder.
 *
 * @param level of `zip`: 6 is its default, 0 only stores
 */
export async function runShell(site: Site, workspace: string, level: 0 | 6): Promise<Figures> {
  await writeCurlConfig(site, workspace);
  return bash(site, workspace, SHELL, { LEVEL: String(level) });
}

/** The steps of the first version, one after another. Needs Python with requests. */
export async function runFirstVersion(site: Site, workspace: string): Promise<Figures> {
  await writeFile(
    join(workspace, 'downloads.txt'),
    NAMES.map((name) => `${site.zipsUrl}${name}.zip ${name}\n`).join(''),
  );
  const script = join(import.meta.dirname, 'first_version.py');
  return bash(site, workspace, 'exec python3 "$SCRIPT" downloads.txt "$TARGET" "$USERNAME" "$PASSWORD"', {
    SCRIPT: script,
    USERNAME: site.username,
    PASSWORD: site.password,
  });
}

/**
 * The physical floor: every zip comes from the server, is written to the disk once and goes on to the other server at
 * once, four at a time. Nothing is unpacked, so it is a little less than the archive.
 */
export async function runFloor(site: Site, workspace: string): Promise<Figures> {
  const one = 'curl -sSf "$ZIPS"{}.zip | tee {}.zip | curl -sSf -o /dev/null -u "$LOGIN" -T - "$TARGET"{}.zip';
  const script = `export ZIPS LOGIN TARGET\nprintf '%s\\n' ${NAMES.join(' ')} | xargs -P 4 -I{} bash -o pipefail -c '${one}'`;
  return bash(site, workspace, script, { ZIPS: site.zipsUrl });
}

/** Only the download, to the disk. */
export async function runDownload(site: Site, workspace: string): Promise<Figures> {
  await writeCurlConfig(site, workspace);
  return bash(site, workspace, 'curl -sSf --no-progress-meter --parallel --parallel-max 4 --config downloads.txt', {});
}

/** Only the upload, of a file of so many bytes. */
export async function runUpload(site: Site, workspace: string, bytes: number): Promise<Figures> {
  await bash(site, workspace, 'truncate -s "$BYTES" archive', { BYTES: String(bytes) });
  return bash(site, workspace, 'curl -sSf -o /dev/null -u "$LOGIN" -T archive "$TARGET"archive', {});
}

/** Only a copy of the zips on the same disk. */
export async function runCopy(site: Site, workspace: string, zips: string): Promise<Figures> {
  return bash(site, workspace, 'cp "$FROM"/*.zip .', { FROM: zips });
}

async function writeCurlConfig(site: Site, workspace: string): Promise<void> {
  const downloads = NAMES.map((name) => `url = "${site.zipsUrl}${name}.zip"\noutput = "${name}.zip"\n`);
  await writeFile(join(workspace, 'downloads.txt'), downloads.join(''));
}

/** Runs a script in an empty folder. */
export async function bash(
  site: Site,
  workspace: string,
  script: string,
  variables: Readonly<Record<string, string>>,
): Promise<Figures> {
  const child = spawn('bash', ['-c', `set -euo pipefail\n${script}`], {
    cwd: workspace,
    env: {
      ...process.env,
      NO_PROXY: '127.0.0.1',
      no_proxy: '127.0.0.1',
      LOGIN: `${site.username}:${site.password}`,
      TARGET: site.filesUrl,
      ...variables,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const end = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const figures = await measure(child.pid ?? 0, workspace, end);
  if ((await end) !== 0) throw new Error(`This ended with an error:\n${script}`);
  return figures;
}

async function uploadedFile({ storage }: Site): Promise<string> {
  // Beside the archive lies what it was made of.
  const [name, ...more] = (await readdir(storage)).filter((file) => !file.endsWith('.run.json'));
  if (name === undefined || more.length > 0) throw new Error(`Not one file was uploaded: ${name} ${more}`);
  return join(storage, name);
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  if ((await stat(file)).size > 0) await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash);
  return hash.digest('hex');
}
