import { describe, expect, test } from 'vitest';
import { runTool } from '../../src/runner/tool.ts';
import { failureOf } from '../helpers/failure.ts';
import { setEnvironment } from '../helpers/runner.ts';

const { signal } = new AbortController();
const limitMs = 30_000;
const node = (program: string) => ['-e', program];

test('what a tool says comes back, and an exit code is a result', async () => {
  const echo =
    'process.stdin.pipe(process.stdout); console.error(process.env.OWN, process.env.GIVEN); process.exitCode = 3';
  setEnvironment({ OWN: 'ours' });
  expect(
    await runTool(process.execPath, node(echo), { input: 'text', env: { GIVEN: 'theirs' }, signal, limitMs }),
  ).toEqual({
    exitCode: 3,
    stdout: 'text',
    stderr: 'ours theirs\n',
  });
});

test('a tool that ends without having read its input is a result too', async () => {
  const input = 'x'.repeat(5_000_000);
  expect(await runTool(process.execPath, node('process.exit(7)'), { input, signal, limitMs })).toMatchObject({
    exitCode: 7,
  });
});

test('a tool without an input finds its input at its end', async () => {
  const result = await runTool(process.execPath, node('process.stdin.on("end", () => console.log("end")).resume()'), {
    signal,
    limitMs,
  });
  expect(result.stdout).toBe('end\n');
});

test('a tool that is not there is said to be missing, with what to do', async () => {
  const error = await failureOf(runTool('no-such-tool', [], { signal, limitMs }));
  expect(error).toMatchObject({ code: 'SERVER' });
  expect(error.message).toContain('The program no-such-tool can’t be started on this runner (ENOENT): install it');
});

// Windows has no process groups.
test.runIf(process.platform !== 'win32')(
  'a tool that takes too long is ended with all that it has started, whether it wants to or not',
  async () => {
    const child = 'sleep 1002 & trap "" TERM; while :; do sleep 1; done';
    const error = await failureOf(runTool('sh', ['-c', child], { signal, limitMs: 500 }));
    expect(error).toMatchObject({ code: 'SERVER', message: 'sh did not end within 1 s, and was ended.' });
    const left = await runTool('ps', ['-eo', 'args='], { signal, limitMs });
    expect(left.stdout.split('\n')).not.toContain('sleep 1002');
  },
);

describe('a cancelled run', () => {
  test('does not wait for the tool', async () => {
    const cancel = new AbortController();
    const running = runTool(process.execPath, node('setTimeout(() => {}, 20000)'), { signal: cancel.signal, limitMs });
    cancel.abort();
    expect((await failureOf(running)).code).toBe('CANCELLED');
  });

  test('starts none', async () => {
    expect((await failureOf(runTool('no-such-tool', [], { signal: AbortSignal.abort(), limitMs }))).code).toBe(
      'CANCELLED',
    );
  });
});
