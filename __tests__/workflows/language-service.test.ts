import { beforeAll, describe, expect, test } from 'vitest';
import { type Linter, loadLinter } from '../helpers/language-service.ts';
import { repositoryName, workflowFiles } from '../helpers/workflow-files.ts';

const files = [...workflowFiles('.github/workflows'), ...workflowFiles('templates/workflows')];

let linter: Linter;

beforeAll(async () => {
  linter = await loadLinter();
});

test.each(files)('GitHub’s language service has nothing to say against $path', async ({ path, text }) => {
  expect(await linter.lint(path, text)).toEqual([]);
});

describe('GitHub’s language service finds', () => {
  const ours = repositoryName();
  const job = (lines: string) => `on: push\njobs:\n  job:\n${lines}`;
  const step = (lines: string) => job(`    runs-on: ubuntu-latest\n    steps:\n${lines}`);

  test.each([
    ['a key that GitHub does not know', step('      - runs: true'), /runs/],
    ['an expression that names nothing', step(`      - run: true\n        if: stpes.a.outcome == 'x'`), /stpes/],
    [
      'an input that the workflow itself does not have',
      `on:\n  workflow_call:\n    inputs:\n      a: {type: string}\njobs:\n  job:\n    runs-on: \${{ inputs.b }}\n    steps: [{run: a}]`,
      /\bb\b/,
    ],
    [
      'an output that an earlier job does not have',
      `${step('      - run: true')}\n  next:\n    needs: job\n    runs-on: \${{ needs.job.outputs.a }}\n    steps: [{run: a}]`,
      /\ba\b/,
    ],
    [
      'an input that an action of this repository does not have',
      step('      - uses: $/prepare-data\n        with:\n          n-tset: 10'),
      /n-tset/,
    ],
    [
      'an input that an action does not have, by the name of the repository',
      step(`      - uses: ${ours}/publish-model@v1\n        with: {owncloud-url: a, model-name: b, gates: c}`),
      /gates/,
    ],
    ['an action that is not there', step('      - uses: $/prepare-date'), /prepare-date/],
    [
      'an input that a called workflow does not have',
      job(`    uses: ${ours}/.github/workflows/prepare-data.yml@v1\n    with:\n      n-tset: 10`),
      /n-tset/,
    ],
    [
      'a required input that a called workflow does not get',
      job(`    uses: ${ours}/.github/workflows/train-model.yml@v1`),
      /dataset/,
    ],
    [
      'a secret that a called workflow does not take',
      job(`    uses: $/.github/workflows/prepare-data.yml\n    secrets:\n      PASSWORD: a`),
      /PASSWORD/,
    ],
  ])('%s', async (_, text, expected) => {
    expect((await linter.lint('.github/workflows/test.yml', text)).join('\n')).toMatch(expected);
  });
});
