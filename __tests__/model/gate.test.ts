import { describe, expect, test } from 'vitest';
import { evaluateGate, figureName, parseGate } from '../../src/model/gate.ts';
import { parseMetrics } from '../../src/model/metrics.ts';
import { failureOf } from '../helpers/failure.ts';
import { metrics } from '../helpers/model.ts';

const condition = (figure: string, label: string | undefined, operator: string, limit: number) => ({
  figure,
  label,
  operator,
  limit,
});

describe('a gate', () => {
  test.each([
    ['', []],
    [' \n, ,\n', []],
    ['macro_f1 >= 0.85', [condition('macro_f1', undefined, '>=', 0.85)]],
    [
      'macro_f1>=.85,accuracy<1',
      [condition('macro_f1', undefined, '>=', 0.85), condition('accuracy', undefined, '<', 1)],
    ],
    [
      'accuracy_ci_low > 0.5\r\n\tn_test >= 200,\nsupport[a] == 10',
      [
        condition('accuracy_ci_low', undefined, '>', 0.5),
        condition('n_test', undefined, '>=', 200),
        condition('support', 'a', '==', 10),
      ],
    ],
    ['recall[hannea arcus] <= 0.7', [condition('recall', 'hannea arcus', '<=', 0.7)]],
    ['f1[ "hannea, the [arc]" ] >= 0.7', [condition('f1', 'hannea, the [arc]', '>=', 0.7)]],
    [`precision['it''] > 0`, undefined],
    [String.raw`precision['it\'s'] > 0`, [condition('precision', "it's", '>', 0)]],
    [String.raw`precision["a \\ \" b"] > 0`, [condition('precision', String.raw`a \ " b`, '>', 0)]],
    ['recall[Ångström] > 0', [condition('recall', 'Ångström', '>', 0)]],
  ])('%j is read', (text, conditions) => {
    if (conditions) expect(parseGate(text)).toEqual(conditions);
    else expect(() => parseGate(text)).toThrow('Input gate');
  });

  test.each([
    [
      'macrof1 >= 0.85',
      'line 1, column 1: found “macrof1 >= 0.85”, expected is a figure (Did you mean macro_f1?): one of accuracy,',
    ],
    ['accuracy >= 0.5,\n  recal[x] > 0', 'line 2, column 3: found “recal[x] > 0”'],
    ['accuracy => 0.5', 'line 1, column 10: found “=> 0.5”, expected is a comparison: one of >=, <=, ==, >, <'],
    ['accuracy = 0.5', 'column 10: found “= 0.5”, expected is a comparison'],
    ['accuracy', 'column 9: it ends here, expected is a comparison'],
    ['accuracy >= 85', 'column 13: found “85”, expected is a number from 0 to 1: accuracy is a fraction, 85 % is 0.85'],
    ['accuracy >= 85%', 'column 13: found “85%”, expected is a number from 0 to 1'],
    ['accuracy >= 0,85', 'column 15: found “85”, expected is a figure'],
    ['accuracy >= 1e-3', 'column 13: found “1e-3”'],
    ['recall >= 0.5', 'column 8: found “>= 0.5”, expected is the class in brackets, such as recall[hannea]'],
    [
      'accuracy[x] >= 0.5',
      'column 9: found “[x] >= 0.5”, expected is a comparison: accuracy is a figure of the whole model',
    ],
    ['recall[] >= 0.5', 'column 8: found “] >= 0.5”, expected is a label'],
    ['recall[a, b] >= 0.5', 'column 9: found “, b] >= 0.5”, expected is “]” after the label'],
    ['recall["a] >= 0.5', 'column 8: found “"a] >= 0.5”, expected is a label'],
    ['accuracy >= 0.5 macro_f1 >= 0.5', 'column 17: found “macro_f1 >= 0.5”, expected is a comma or a new line'],
  ])('%j is refused with the place and what is allowed there', async (text, message) => {
    const error = await failureOf(() => parseGate(text));
    expect(error.code).toBe('INPUT');
    expect(error.message).toContain(message);
    expect(error.message).toContain('A gate looks like this: macro_f1 >= 0.85, recall[hannea] >= 0.7');
  });
});

describe('evaluated', () => {
  const measured = parseMetrics(
    JSON.stringify(
      metrics({
        accuracy: 0.5,
        macro_f1_ci: null,
        classes: { a: { precision: null, recall: 0.25, f1: 0, support: 4, recall_ci: [0.05, 0.7] } },
      }),
    ),
    'metrics.json',
  );

  test.each([
    ['accuracy >= 0.5', true],
    ['accuracy > 0.5', false],
    ['accuracy <= 0.5', true],
    ['accuracy < 0.5', false],
    ['accuracy == 0.5', true],
    ['accuracy_ci_low >= 0.85', true],
    ['accuracy_ci_high < 0.95', false],
    ['macro_f1_ci_low >= 0', false],
    ['n_test >= 20', true],
    ['recall[a] >= 0.25', true],
    ['recall_ci_low[a] >= 0.05', true],
    ['recall_ci_low[a] > 0.05', false],
    ['precision_ci_low[a] >= 0', false],
    ['f1[a] >= 0', true],
    ['precision[a] >= 0', false],
    ['support[a] < 5', true],
  ])('%s is %s', (text, passed) => {
    expect(evaluateGate(parseGate(text), measured, ['a'])).toMatchObject([{ passed }]);
  });

  test('a class that the model does not have is an error that names those it has', async () => {
    for (const label of ['b', 'constructor']) {
      const error = await failureOf(() => evaluateGate(parseGate(`recall[${label}] > 0`), measured, ['a']));
      expect(error.message).toContain(`no class “${label}”; its classes are a.`);
    }
  });
});

test.each(['recall[a]', 'recall["a, b"]', String.raw`recall["a \"b\" \\ c"]`, 'accuracy', 'recall[a b]'])(
  '%s is written as it can be read again',
  (name) => {
    const [first] = parseGate(`${name} > 0`);
    expect(first && figureName(first)).toBe(name);
  },
);
