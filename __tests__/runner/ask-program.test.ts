import { expect, test } from 'vitest';
import { askProgram } from '../../src/runner/ask-program.ts';
import { captureOutput } from '../helpers/runner.ts';

const NODE = process.execPath;

test('what a program says is returned with its exit code, and not shown', async () => {
  const output = captureOutput();
  const program = 'process.stdout.write("found\\n"); process.stderr.write("but\\n"); process.exitCode = 3';
  expect(await askProgram(NODE, ['-e', program])).toEqual({ exitCode: 3, stdout: 'found\n', stderr: 'but\n' });
  expect(output.text()).toBe('');
});

test('arguments reach a program as they are, whatever is in them', async () => {
  const args = ['a b', '"', "'", '$HOME', '', 'ü; rm -rf /'];
  const { stdout } = await askProgram(NODE, [
    '-e',
    'process.stdout.write(JSON.stringify(process.argv.slice(1)))',
    ...args,
  ]);
  expect(JSON.parse(stdout)).toEqual(args);
});

test('a program that dies of a signal has failed', async () => {
  const { exitCode } = await askProgram(NODE, ['-e', 'process.kill(process.pid, "SIGKILL")']);
  expect(exitCode).toBe(137);
});

test('a program that is not there is told from one that fails', async () => {
  await expect(askProgram('no-such-program', [])).rejects.toMatchObject({ code: 'ENOENT' });
});
