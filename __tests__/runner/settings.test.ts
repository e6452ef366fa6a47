import { describe, expect, test } from 'vitest';
import { textInput } from '../../src/runner/inputs.ts';
import { takeSettings } from '../../src/runner/settings.ts';
import { BESIDE_INPUTS } from '../../src/schema/beside-inputs.ts';
import { PREPARE_DATA } from '../../src/schema/prepare-data.ts';
import { setInputs } from '../helpers/runner.ts';

function take(inputs: Readonly<Record<string, string>>): void {
  setInputs({ settings: '', 'settings-keys': '', ...inputs });
  takeSettings(PREPARE_DATA, BESIDE_INPUTS['prepare-data']);
}

test('an input that is set wins over the settings, they win over the default, and an empty input is not set', () => {
  take({ settings: 'n-test: 20%\nsplit: keep\n', 'n-test': '5', split: '', seed: '' });
  expect([textInput('n-test'), textInput('split'), textInput('duplicates'), textInput('seed')]).toEqual([
    '5',
    'keep',
    'keep-together',
    '',
  ]);
});

test('the settings may be JSON, and hold what is for the workflow around', () => {
  take({ settings: '{"n-test":"20%","job-timeout-minutes":"30"}', 'settings-keys': '2' });
  expect(textInput('n-test')).toBe('20%');
});

test('an empty value in the settings is one: it wins over the default', () => {
  take({ settings: 'archive-prefix: ""' });
  expect(textInput('archive-prefix')).toBe('');
});

describe('refused are', () => {
  test.each([
    [{ settings: 'n-tset: 1' }, 'Input settings:\n- 1:1 there is no input n-tset. Did you mean n-test?'],
    [{ settings: 'split: x\nkeep-last: a' }, /1:8 split is “x”.*\n- 2:12 keep-last is “a”/],
    [{ settings: 'owncloud-password: hush' }, /owncloud-password is a secret: give it as the input/],
    [{ settings: 'hello' }, /not a map/],
    [{ settings: '', 'settings-keys': '3' }, /did not arrive: of 3 keys, there are 0\. GitHub leaves out/],
  ])('%j', (inputs, message) => {
    expect(() => take(inputs)).toThrow(message);
    expect(() => take(inputs)).not.toThrow(/hush/);
  });
});
