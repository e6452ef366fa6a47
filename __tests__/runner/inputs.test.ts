import { describe, expect, test } from 'vitest';
import {
  booleanInput,
  folderInput,
  invalidInput,
  oneOfInput,
  textInput,
  wholeNumberInput,
} from '../../src/runner/inputs.ts';
import { failureOf } from '../helpers/failure.ts';
import { setInputs } from '../helpers/runner.ts';

test('a text is read as a runner gives it, without space around it; one that is not set is empty', () => {
  setInputs({ 'owncloud-folder': '  data/sets \n' });
  expect(textInput('owncloud-folder')).toBe('data/sets');
  expect(textInput('never-set')).toBe('');
});

describe('a boolean', () => {
  test('is true or false', () => {
    setInputs({ upload: 'true', check: 'false' });
    expect([booleanInput('upload'), booleanInput('check')]).toEqual([true, false]);
  });

  test.each(['', 'True', 'TRUE', 'yes', '1', 'on', 'truee'])(
    '%j is an error that says what is allowed',
    async (value) => {
      setInputs({ upload: value });
      const { code, message } = await failureOf(() => booleanInput('upload'));
      expect(code).toBe('INPUT');
      expect(message).toBe(`Input upload is “${value}”, allowed is true or false.`);
    },
  );
});

test('one of several words, or an error that lists them', async () => {
  setInputs({ split: 'stable', duplicates: 'Drop' });
  expect(oneOfInput('split', ['shuffle', 'stable'])).toBe('stable');
  const { message } = await failureOf(() => oneOfInput('duplicates', ['keep-together', 'drop', 'error']));
  expect(message).toBe('Input duplicates is “Drop”, allowed is keep-together or drop or error.');
});

describe('a whole number', () => {
  test.each([
    ['1', 1],
    ['32', 32],
    ['007', 7],
    ['', undefined],
  ])('%j is %s', (value, number) => {
    setInputs({ concurrency: value });
    expect(wholeNumberInput('concurrency', { min: 1, max: 32 })).toBe(number);
  });

  test.each(['0', '33', '-1', '1.5', '1e1', '0x1', 'four', '4 zips', '99999999999', '٣'])(
    '%j is an error',
    async (value) => {
      setInputs({ concurrency: value });
      const { code, message } = await failureOf(() => wholeNumberInput('concurrency', { min: 1, max: 32 }));
      expect(code).toBe('INPUT');
      expect(message).toBe(`Input concurrency is “${value}”, allowed is a whole number from 1 to 32.`);
    },
  );
});

test('a wrong input keeps its cause', () => {
  const cause = new Error('below');
  expect(invalidInput('seed', 'a b', 'letters', { cause })).toMatchObject({ code: 'INPUT', cause });
});

test('a folder as addresses have it is refused with the folder to write', () => {
  setInputs({ 'owncloud-folder': 'My%20Team/a', 'models-folder': '100% sure/a%zz' });
  expect(() => folderInput('owncloud-folder')).toThrow('write “My Team/a”');
  expect(folderInput('models-folder')).toBe('100% sure/a%zz');
});
