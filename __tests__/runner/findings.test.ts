import { expect, test } from 'vitest';
import { reportFindings } from '../../src/runner/findings.ts';
import { captureOutput, commandFile, setEnvironment } from '../helpers/runner.ts';

test('a check that finds one fault many times says it once, with all that have it', async () => {
  const summary = commandFile('GITHUB_STEP_SUMMARY');
  setEnvironment({ GITHUB_ACTIONS: 'true' });
  const output = captureOutput();
  await reportFindings([
    { subject: 'a.zip', ok: false, sentence: 'The server is away.' },
    { subject: 'b.zip', ok: true, sentence: '3 MB' },
    { subject: 'c.zip', ok: false, sentence: 'The zip is damaged.' },
    { subject: 'd.zip', ok: false, sentence: 'The server is away.' },
  ]);
  expect(output.text()).toContain(
    '::error::A run would fail:%0A- a.zip, d.zip: The server is away.%0A- c.zip: The zip is damaged.',
  );
  expect(output.exitCode()).toBe(1);
  // The table has a row for each.
  expect(summary().match(/❌/g)).toHaveLength(3);
});
