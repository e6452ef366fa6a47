import { expect, test } from 'vitest';
import { trainingKey } from '../../src/model/training-key.ts';

test('what fits into every name stays as it is', () => {
  for (const text of ['', 'model', 'model-b', 'a-1-2', '7', 'x'.repeat(32)]) expect(trainingKey(text)).toBe(text);
});

test('what does not is made readable, and stays apart from all others', () => {
  const texts = [
    ...['Model', 'MODEL', 'model a', 'model_a', 'model/a', 'model--a', '-model', 'model-'],
    ...[
      'Größe',
      'Grösse',
      '珪藻',
      '硅藻',
      '💧',
      'a|b',
      "a'b",
      'a"b',
      'x'.repeat(33),
      'x'.repeat(34),
      `${'x'.repeat(25)}-y z`,
    ],
  ];
  const keys = texts.map(trainingKey);
  expect(new Set([...keys, 'model', 'model-a']).size).toBe(texts.length + 2);
  for (const key of keys) expect(key).toMatch(/^(?=.{1,32}$)[a-z0-9]+(-[a-z0-9]+)*$/);
  expect(trainingKey('Model A')).toMatch(/^model-a-[0-9a-f]{6}$/);
});

test('one text has one key, whatever its Unicode form and the blanks around it, and a key is its own key', () => {
  expect(trainingKey(' Gro\u0308ße ')).toBe(trainingKey('Größe'));
  expect(trainingKey(trainingKey('Modell Größe 1'))).toBe(trainingKey('Modell Größe 1'));
});
