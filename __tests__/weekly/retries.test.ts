import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ACTION, runWorkflow } from '../helpers/act.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const [repository, ref] = ACTION.split('@');
const RUNNER = JSON.stringify('ubuntu-latest');

/** An action that only says what it is asked for. */
const standIn = (inputs: readonly string[], outputs: Readonly<Record<string, string>>, run: string) =>
  JSON.stringify({
    name: 'Stand-in',
    inputs: Object.fromEntries(inputs.map((name) => [name, {}])),
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, { value }])),
    runs: {
      using: 'composite',
      steps: [{ id: 'step', shell: 'bash', run, env: { MODE: `\${{ inputs.mode }}`, KEY: `\${{ inputs.key }}` } }],
    },
  });

const SERVER = standIn(
  ['mode', 'settings', 'aws-sign-in', 'key', 'runner-token', 'app-private-key', 'ssh-key'],
  { 'runs-on': RUNNER, refused: '' },
  'echo "$MODE $KEY" >>"$EVENTS"',
);

/** Ends as the plan says, one word an attempt. */
const TRAINING = standIn(
  [
    ...['settings', 'image', 'dataset', 'dataset-sha256', 'owncloud-password', 'registry-username'],
    ...['registry-password', 'env', 'artifact-name', 'key', 'keep-unpublished'],
  ],
  { ended: `\${{ steps.step.outputs.ended }}`, 'artifact-name': `\${{ steps.step.outputs.artifact }}` },
  `number=$(($(grep -c '^train' "$EVENTS" || true) + 1)); ended=$(echo "$PLAN" | cut -d ' ' -f $number)
   echo "train $KEY" >>"$EVENTS"
   { echo "ended=$ended"; echo "artifact=model-$number"; } >>"$GITHUB_OUTPUT"
   [ "$ended" = trained ]`,
);

/** What happened, in order; servers without the key that all of them have. */
async function attempts(plan: string, retries: number | undefined, driver: string) {
  const events = join(temporaryFolder(), 'events');
  await writeFile(events, '');
  const training = {
    uses: `${repository}/.github/workflows/train-model.yml@${ref}`,
    with: {
      // As the settings hand it on.
      train: JSON.stringify(retries === undefined ? {} : { retries: String(retries) }),
      'gpu-server': JSON.stringify({ driver }),
      runners: JSON.stringify({ default: RUNNER, train: RUNNER, server: RUNNER }),
      image: 'x',
      dataset: 'y',
      key: 'lake',
    },
  };
  const after = {
    needs: 'training',
    'runs-on': 'ubuntu-latest',
    steps: [{ run: `echo "after \${{ needs.training.outputs.artifact-name }}" >>"$EVENTS"` }],
  };
  const { exitCode, log } = await runWorkflow(
    JSON.stringify({ on: { workflow_dispatch: {} }, jobs: { training, after } }),
    {
      environment: { PLAN: plan, EVENTS: events },
      replaced: { 'gpu-server/action.yml': SERVER, 'train-model/action.yml': TRAINING },
    },
  );
  const text = await readFile(events, 'utf8');
  return { exitCode, log, events: text.trim().split('\n') };
}

const attempt = (number: number) => {
  const key = number === 1 ? 'lake' : `lake-retry-${number}`;
  return [`start ${key}`, 'train lake', `stop ${key}`];
};

test.each([
  ['one that has come to its end is the only one', 'trained trained', 3, [...attempt(1), 'after model-1']],
  [
    'when the time is up, the next one follows, on a server of its own, for the same checkpoint',
    'stopped stopped stopped trained',
    3,
    [...[1, 2, 3, 4].flatMap(attempt), 'after model-4'],
  ],
])('of attempts: %s', async (_, plan, retries, expected) => {
  const { exitCode, events, log } = await attempts(plan, retries, 'slurm');
  expect(events, log).toEqual(expected);
  expect(exitCode, log).toBe(0);
});

test.each([
  ['no more than were asked for', 'stopped stopped trained', 1, [1, 2]],
  ['none is asked for', 'stopped trained', undefined, [1]],
  ['a training that has failed by itself is not begun again', 'stopped failed trained', 3, [1, 2]],
])('the run is red when none has trained a model: %s', async (_, plan, retries, made) => {
  const { exitCode, events, log } = await attempts(plan, retries, 'slurm');
  expect(events, log).toEqual(made.flatMap(attempt));
  expect(exitCode).toBe(1);
});

test('a machine that is always on is no server to be started again, and the run is red', async () => {
  const { exitCode, events, log } = await attempts('stopped trained', 2, 'none');
  expect(events).toEqual(['train lake']);
  expect(exitCode).toBe(1);
  expect(log).toContain('::error::No attempt has trained a model');
});
