import { expect, test } from 'vitest';
import { openHost, shellQuote } from '../../src/gpu-server/host.ts';
import { failureOf } from '../helpers/failure.ts';
import { temporaryFolder } from '../helpers/runner.ts';

function here(signal = new AbortController().signal) {
  return openHost(undefined, { signal, temporary: temporaryFolder() });
}

test('this machine runs sh text, with an input, and an exit code is a result', async () => {
  const host = await here();
  expect(await host.run('cat; echo oops >&2; exit 3', { input: 'a secret' })).toEqual({
    exitCode: 3,
    stdout: 'a secret',
    stderr: 'oops\n',
  });
  await host.close();
});

test('a quoted text stays one word, whatever is in it', async () => {
  const host = await here();
  for (const text of ['', 'a b', "it's", '$HOME `id` "x" \\ \n*', "''"]) {
    expect((await host.run(`printf %s ${shellQuote(text)}`)).stdout).toBe(text);
  }
});

test('nothing is run for a cancelled run', async () => {
  const host = await here(AbortSignal.abort());
  expect((await failureOf(host.run('echo x'))).code).toBe('CANCELLED');
});
