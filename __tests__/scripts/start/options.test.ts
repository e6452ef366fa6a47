import { describe, expect, test } from 'vitest';
import { documentedMetadata } from '../../../scripts/action-metadata.ts';
import { helpText, parseOptions, UsageError } from '../../../scripts/start/options.ts';
import { nearest } from '../../../src/text/nearest.ts';

const metadata = documentedMetadata('prepare-data');
const parse = (...args: string[]) => parseOptions(args, metadata.inputs).inputs;

describe('the options of npm start', () => {
  test('are the inputs of the action, with a value after a space or “=”', () => {
    expect(parse('--n-test', '20%', '--owncloud-url=https://cloud.example.org/?a=b')).toEqual({
      'n-test': '20%',
      'owncloud-url': 'https://cloud.example.org/?a=b',
    });
  });

  test('pass values on unjudged, also one that looks like an option: the action refuses them', () => {
    expect(parse('--n-test', '-1')).toEqual({ 'n-test': '-1' });
  });

  test('take the file list as a path', () => {
    expect(parse('--file-list', 'mine.json')).toEqual({ 'file-list-path': 'mine.json' });
  });

  test('of an input that is true or false are switches, in every usual form', () => {
    expect(parse('--dry-run')).toEqual({ 'dry-run': 'true' });
    expect(parse('--no-upload')).toEqual({ upload: 'false' });
    expect(parse('--upload=false', '--cache', 'false')).toEqual({ upload: 'false', cache: 'false' });
  });

  test('ask for help with --help and -h', () => {
    expect(parseOptions(['--help'], metadata.inputs).help).toBe(true);
    expect(parseOptions(['-h'], metadata.inputs).help).toBe(true);
    expect(parseOptions([], metadata.inputs).help).toBe(false);
  });

  test('refuse an unknown one and name the nearest', () => {
    expect(() => parse('--n-tset', '3')).toThrow(
      new UsageError('There is no option --n-tset. Did you mean --n-test? See --help.'),
    );
    expect(() => parse('--no-seed')).toThrow('Did you mean --seed?');
    expect(() => parse('-n', '3')).toThrow('There is no option -n.');
    expect(() => parse('--constructor', '3')).toThrow('There is no option --constructor.');
  });

  test('refuse a missing value and words that belong to no option', () => {
    expect(() => parse('--seed')).toThrow('--seed needs a value');
    expect(() => parse('mine.json')).toThrow('“mine.json” is not an option');
    expect(() => parse('--dry-run', 'maybe')).toThrow('“maybe” is not an option');
  });

  test('never take a password, and never repeat it', () => {
    for (const args of [['--owncloud-password', 'hush'], ['--owncloud-password=hush']]) {
      expect(() => parse(...args)).toThrow(/environment variable OWNCLOUD_PASSWORD/);
      expect(() => parse(...args)).not.toThrow(/hush/);
    }
  });
});

test('the help names every option but the password’s, says the defaults, and fits 90 columns', () => {
  const help = helpText(metadata);
  for (const [name, input] of Object.entries(metadata.inputs)) {
    if (['owncloud-password', 'file-list-path', 'settings-keys'].includes(name)) continue;
    expect(help).toMatch(new RegExp(`^  --(\\[no-\\])?${name}\\b`, 'm'));
    if (input.default) expect(help.replace(/\s+/g, ' ')).toContain(`Default: ${input.default}.`);
  }
  expect(help).not.toContain('--owncloud-password');
  expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(90);
});

test('the nearest word is the one with the fewest changed letters', () => {
  expect(nearest('flie-list', ['seed', 'file-list', 'split'])).toBe('file-list');
});
