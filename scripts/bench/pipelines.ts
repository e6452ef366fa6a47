import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { startAction } from '../run-action.ts';
import { ZIPS } from './images.ts';
import { type Figures, measure } from './measure.ts';
import type { Servers } from './servers.ts';

const NAMES = Array.from({ length: ZIPS }, (_, index) => `species-${String(index + 1).padStart(2, '0')}`);

/** Prepares the images with the shipped bundle, in an empty folder. */
export async function runOurs(servers: Servers, workspace: string): Promise<Figures> {
  const fileList = NAMES.map((name) => ({
    file_url: `${servers.zipsUrl}${name}.zip`,
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
      'owncloud-url': servers.owncloudUrl,
      'owncloud-username': servers.username,
      'owncloud-password': servers.password,
    },
    // As there, nothing is kept for another run.
    env: { RUNNER_ENVIRONMENT: 'github-hosted' },
  });
  const figures = await measure(action.pid ?? 0, action.result);
  const { exitCode, stdout, outputs } = await action.result;
  if (exitCode !== 0 || outputs['test-count'] !== String(10 * ZIPS)) throw new Error(`The action failed:\n${stdout}`);
  return figures;
}

/** The same by hand: what a careful person writes who knows these programs, without any of our checks. */
const SHELL = `
set -euo pipefail
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
export async function runShell(servers: Servers, workspace: string, level: 0 | 6): Promise<Figures> {
  const downloads = NAMES.map((name) => `url = "${servers.zipsUrl}${name}.zip"\noutput = "${name}.zip"\n`);
  await writeFile(join(workspace, 'downloads.txt'), downloads.join(''));
  const child = spawn('bash', ['-c', SHELL], {
    cwd: workspace,
    env: {
      PATH: process.env['PATH'],
      LEVEL: String(level),
      LOGIN: `${servers.username}:${servers.password}`,
      TARGET: servers.filesUrl,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const end = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const figures = await measure(child.pid ?? 0, end);
  if ((await end) !== 0) throw new Error('The shell pipeline failed');
  return figures;
}
