import { expect, test } from 'vitest';
import { runProgram, startProgram } from '../../src/runner/exec.ts';
import { captureOutput } from '../helpers/runner.ts';

/** Runs a script as a program of its own. */
const node = (script: string, options = {}) => runProgram(process.execPath, ['-e', script], options);

test('a program’s output and exit code are its result, also when it fails', async () => {
  expect(await node('console.log("out"); console.error("err"); process.exitCode = 3')).toEqual({
    exitCode: 3,
    stdout: 'out\n',
    stderr: 'err\n',
  });
});

test('arguments reach it as they are: there is no shell', async () => {
  const args = ['-e', 'console.log(JSON.stringify(process.argv.slice(1)))', '$(id)', 'a b; c', '"'];
  expect(JSON.parse((await runProgram(process.execPath, args)).stdout)).toEqual(['$(id)', 'a b; c', '"']);
});

test('it gets its input, or none', async () => {
  const copy = 'process.stdin.pipe(process.stdout)';
  expect((await node(copy, { input: 'grüße' })).stdout).toBe('grüße');
  expect((await node(copy)).stdout).toBe('');
});

test('one that ends before it has read its input fails by its exit code only', async () => {
  expect(await node('process.exit(4)', { input: 'x'.repeat(5_000_000) })).toMatchObject({ exitCode: 4 });
});

test('its environment is the one that is given', async () => {
  const script = 'console.log(process.env.GIVEN, process.env.INPUT_SECRET)';
  expect((await node(script, { env: { GIVEN: 'yes' } })).stdout).toBe('yes undefined\n');
});

test('its output is shown as it comes when that is asked for', async () => {
  const output = captureOutput();
  await node('console.log("hidden")');
  await node('console.log("shown"); console.error("too")', { show: true });
  expect(output.text()).toContain('shown\n');
  expect(output.text()).toContain('too\n');
  expect(output.text()).not.toContain('hidden');
});

test('of a long output the end is kept', async () => {
  const { stdout } = await node('for (let n = 0; n < 50000; n++) console.log(n)');
  expect(stdout.length).toBe(100_000);
  expect(stdout.endsWith('49999\n')).toBe(true);
});

test('a signal ends it, before and after it began', async () => {
  const forever = 'setInterval(() => {}, 1000)';
  const controller = new AbortController();
  const running = node(forever, { signal: controller.signal });
  controller.abort();
  expect((await running).exitCode).toBe(143);
  expect((await node(forever, { signal: AbortSignal.abort() })).exitCode).toBe(143);
  const program = startProgram(process.execPath, ['-e', forever]);
  program.kill('SIGKILL');
  expect((await program.result).exitCode).toBe(137);
});

test('a program that is not there is an error of the system', async () => {
  await expect(runProgram('no-such-program-here', [])).rejects.toMatchObject({ code: 'ENOENT' });
});
