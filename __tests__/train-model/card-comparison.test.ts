import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addToCard } from '../../src/train-model/card-comparison.ts';
import { comparedImages } from '../helpers/model.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const COMPARISON = {
  ...{ productionVersion: 'v7', total: 40, compared: 40, tooFew: undefined, scores: undefined, best: undefined },
  images: comparedImages([{ label: 'a', images: 40, production: 35, candidate: 36 }]),
};
const SECTION =
  '## Compared with production\n\nWhether the model is better or worse than production’s (v7) is not certain, on 40 test images';

function cardWith(text: string) {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'MODEL_CARD.md'), text);
  return { folder, read: () => readFileSync(join(folder, 'MODEL_CARD.md'), 'utf8') };
}

test('the verdict is added to the card, and a second run replaces it and nothing else', async () => {
  const { folder, read } = cardWith('# Mine\n\n## Evaluation\n\nGood.\n');
  await addToCard(folder, COMPARISON);
  const first = read();
  expect(first).toContain(`Good.\n\n${SECTION}`);
  expect(first).toContain('1 newly right, 0 newly wrong');
  writeFileSync(join(folder, 'MODEL_CARD.md'), `${first}\n## More\n\nTexts.\n`);
  await addToCard(folder, COMPARISON);
  expect(read()).toBe(`${first}\n## More\n\nTexts.\n`);
});

test('the best other version that was in production is in it, too, or why it is not', async () => {
  const { folder, read } = cardWith('# Mine\n');
  const images = COMPARISON.images.map((image) => ({ ...image, best: image.label }));
  await addToCard(folder, { ...COMPARISON, images, best: { version: 'v3', notCompared: undefined } });
  expect(read()).toContain('than v3 (the best other version that was in production) is not certain, on 40 test images');
  expect(read()).toContain('0 newly right, 4 newly wrong');
  await addToCard(folder, { ...COMPARISON, best: { version: 'v3', notCompared: 'it is gone' } });
  expect(read()).toContain('(v3) does not count, and production alone does: it is gone.');
  expect(read().split('## Compared with production')).toHaveLength(2);
});

test('where nothing can be said, or there is no card, there is nothing to add', async () => {
  const { folder, read } = cardWith('# Mine\n');
  await addToCard(folder, { ...COMPARISON, tooFew: 'there are 3' });
  await addToCard(folder, { ...COMPARISON, images: undefined });
  expect(read()).toBe('# Mine\n');
  const without = temporaryFolder();
  await addToCard(without, COMPARISON);
  expect(existsSync(join(without, 'MODEL_CARD.md'))).toBe(false);
  // A link could lead to any file of this machine.
  symlinkSync(join(folder, 'MODEL_CARD.md'), join(without, 'MODEL_CARD.md'));
  await addToCard(without, COMPARISON);
  expect(read()).toBe('# Mine\n');
});
