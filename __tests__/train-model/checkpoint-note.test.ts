import { expect, test } from 'vitest';
import { formatNote, parseNote, whyUnfit } from '../../src/train-model/checkpoint-note.ts';

const TRAINING = {
  dataIdentity: 'a'.repeat(64),
  imageDigest: `sha256:${'b'.repeat(64)}`,
  trainCommand: 'python train.py',
  testCommand: 'python test.py',
  gpus: 'all',
  network: false,
  settings: 'c'.repeat(64),
};
const NOTE = {
  training: TRAINING,
  writtenMs: 1_790_000_000_000.25,
  files: [{ name: 'fold-1/checkpoint.pt', sha256: 'd'.repeat(64), bytes: 7 }],
};

test('what is written is read', () => {
  expect(parseNote(formatNote(NOTE))).toMatchObject(NOTE);
});

test('the very same training goes on from it', () => {
  expect(whyUnfit(parseNote(formatNote(NOTE)), { ...TRAINING })).toBeUndefined();
});

test.each([
  [{ dataIdentity: 'f'.repeat(64) }, 'the data set'],
  [{ imageDigest: `sha256:${'f'.repeat(64)}` }, 'the image'],
  [{ settings: 'f'.repeat(64) }, 'the settings (env)'],
  [{ trainCommand: 'python other.py' }, 'the train-command'],
  [{ gpus: '0', network: true }, 'the GPUs, the network'],
])('one that differs in %j does not', (change, said) => {
  expect(whyUnfit(NOTE, { ...TRAINING, ...change })).toBe(`was made with another state of ${said}`);
});

test.each([
  ['', 'no JSON'],
  [formatNote(NOTE).replace('"format": 1', '"format": 2'), 'of another release'],
  [formatNote(NOTE).replace('fold-1/', '../../'), 'with a name that leads elsewhere'],
  [formatNote(NOTE).replace('fold-1/', '/etc/'), 'with an absolute name'],
  [formatNote(NOTE).replace('d'.repeat(64), '../other'), 'with a sum that is a path'],
])('a note is refused: %#', (text) => {
  expect(parseNote(text)).toBeUndefined();
  expect(whyUnfit(parseNote(text), TRAINING)).toContain('another release');
});
