import { expect, test } from 'vitest';
import { parseOutputs } from '../../scripts/run-action.ts';

test('outputs are read in both forms that a runner takes, with either line end', () => {
  const text =
    'seed<<ghadelimiter_1\r\n42\r\nghadelimiter_1\r\nurl=https://a/?b=c<<d\nclasses<<END\n{\n}\nEND\nempty<<X\n\nX\n';
  expect(parseOutputs(text)).toEqual({ seed: '42', url: 'https://a/?b=c<<d', classes: '{\n}', empty: '' });
});

test('an output that was cut short is an error', () => {
  expect(() => parseOutputs('seed<<END\n42\n')).toThrow('The output seed has no end');
});
