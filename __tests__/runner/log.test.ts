import { describe, expect, test } from 'vitest';
import { fail, group, info, mask, warn, withoutCommands } from '../../src/runner/log.ts';
import { captureOutput, setEnvironment } from '../helpers/runner.ts';

describe('on a runner', () => {
  test('warnings and errors are annotations, on one line each, and an error ends the run red', () => {
    setEnvironment({ GITHUB_ACTIONS: 'true' });
    const output = captureOutput();
    info('a line');
    warn('100% of\nit');
    fail('two\nlines');
    expect(output.text()).toBe('a line\n::warning::100%25 of%0Ait\n::error::two%0Alines\n');
    expect(output.exitCode()).toBe(1);
  });

  test('a stage is a group that is closed also when the stage fails', async () => {
    setEnvironment({ GITHUB_ACTIONS: 'true' });
    const output = captureOutput();
    expect(await group('Download', async () => 5)).toBe(5);
    await expect(group('Plan', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(output.text()).toBe('::group::Download\n::endgroup::\n::group::Plan\n::endgroup::\n');
  });

  test('lines of others are no commands, whatever they say, and our own are again after them, also after a failure', async () => {
    setEnvironment({ GITHUB_ACTIONS: 'true' });
    const output = captureOutput();
    const stage = async () => info('::error::from a container');
    await withoutCommands(stage);
    await expect(withoutCommands(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    const stops = [...output.text().matchAll(/^::stop-commands::(.+)$/gm)].map((match) => match[1]);
    expect(new Set(stops).size).toBe(2);
    for (const token of stops) expect(output.text()).toContain(`\n::${token}::\n`);
    expect(output.text().indexOf(`::${stops[0]}::`)).toBeGreaterThan(output.text().indexOf('from a container'));
  });

  test('a secret is masked, an empty one is not: it would mask nothing, with a warning', () => {
    setEnvironment({ GITHUB_ACTIONS: 'true' });
    const output = captureOutput();
    mask('pä:ss%');
    mask('');
    expect(output.text()).toBe('::add-mask::pä:ss%25\n');
  });
});

describe('in a terminal', () => {
  test('there are no commands of a runner, which would show the secret that they are to hide', async () => {
    setEnvironment({ GITHUB_ACTIONS: undefined });
    const output = captureOutput();
    info('a line');
    warn('careful');
    mask('SECRET');
    await group('Download', () => withoutCommands(async () => info('inside')));
    fail('it failed');
    expect(output.text()).toBe('a line\nWarning: careful\nDownload\ninside\nError: it failed\n');
    expect(output.exitCode()).toBe(1);
  });
});
