import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cardSection } from '../model/comparison-sentences.ts';
import { CARD_FILE } from '../model/model-folder.ts';
import type { Comparison } from './compare.ts';
import { isRegularFile, writeOutput } from './output-dir.ts';

/** Writes how the model compares with production into its card, in place of what a run before has written there. */
export async function addToCard(outputDir: string, comparison: Comparison): Promise<void> {
  const path = join(outputDir, CARD_FILE);
  const section = cardSection(comparison);
  if (section === undefined || !(await isRegularFile(path))) return;
  const [heading = ''] = section.split('\n');
  const [before = '', ...after] = (await readFile(path, 'utf8')).split(`${heading}\n`);
  const rest = /^## .*/ms.exec(after.join(''))?.[0] ?? '';
  await writeOutput(outputDir, CARD_FILE, `${before.trimEnd()}\n\n${section}\n${rest === '' ? '' : `\n${rest}`}`);
}
