import { expect, test } from 'vitest';
import { openHost, shellQuote } from '../../src/gpu-server/host.ts';
import { failureOf } from '../helpers/failure.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const what = 'the script';
const MINUTE = 60_000;

function here(signal = new AbortController().signal, answerMs = MINUTE) {
  const limits = { answerMs, stopMs: MINUTE, startMs: MINUTE };
  return openHost(undefined, { signal, temporary: temporaryFolder(), limits });
}

test('this machine runs sh text, with an input, and an exit code is a result', async () => {
  const host = await here();
  expect(await host.run('cat; echo oops >&2; exit 3', { what, input: 'a secret' })).toEqual({
    exitCode: 3,
    stdout: 'a secret\n',
    stderr: 'oops\n',
  });
  expect(await host.run('cat; exit 255', { what })).toMatchObject({ exitCode: 255, stdout: '\n' });
  await host.close();
});

test('a quoted text stays one word, whatever is in it', async () => {
  const host = await here();
  for (const text of ['', 'a b', "it's", '$HOME `id` "x" \\ \n*', "''"]) {
    expect((await host.run(`printf %s ${shellQuote(text)}`, { what })).stdout).toBe(text);
  }
});

test('nothing is run for a cancelled run', async () => {
  const host = await here(AbortSignal.abort());
  expect((await failureOf(host.run('echo x', { what }))).code).toBe('CANCELLED');
});

// Windows has no process groups.
const unix = test.runIf(process.platform !== 'win32');

unix('a script that hangs is ended with all that it has started, and said by name', async () => {
  const host = await here(new AbortController().signal, 1_000);
  const error = await failureOf(host.run('sleep 1001 & sleep 1001', { what: 'squeue' }));
  expect(error.message).toBe('squeue did not end within 1 s on this runner, and was ended there.');
});

unix('one that was ended by somebody else is no answer', async () => {
  const host = await here();
  const error = await failureOf(host.run('echo half; kill -9 0', { what }));
  expect(error.message).toContain('this runner ended what it was to run before it had answered');
});
