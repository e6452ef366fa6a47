import { BECAME_WRONG_FILE, type ComparedImage, tallyClasses } from '../model/compared-images.ts';
import { comparisonSentences } from '../model/comparison-sentences.ts';
import { fallenMark } from '../model/fallen.ts';
import { percent, withInterval } from '../model/format-figure.ts';
import { isRefused, judgeClasses, wordsOf } from '../model/worse-classes.ts';
import { escapeMarkdown, markdownTable } from '../runner/markdown.ts';
import type { Comparison } from './compare.ts';
import type { Metrics } from './evaluation.ts';

/** How a model and production's do on the images that are new to both, as GitHub Markdown: what fell is marked. */
export function comparisonTables(comparison: Comparison): string {
  const { total, compared, tooFew, scores, images, productionVersion } = comparison;
  const sections = [
    `${compared} of ${total} test images are new to both models.`,
    tooFew === undefined ? '' : `> [!WARNING]\n> Too few for a verdict: ${escapeMarkdown(tooFew)}.`,
    ...comparisonSentences(comparison).map(escapeMarkdown),
    scores ? figuresTable(scores, productionVersion) : '',
    images ? lostTable(images) : '',
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function figuresTable(
  { candidate, production }: NonNullable<Comparison['scores']>,
  productionVersion: string | undefined,
): string {
  const row = (name: string, read: (model: Metrics) => readonly [number | null | undefined, string]) => {
    const [[mine, shown], [its, shownOfProduction]] = [read(candidate), read(production)];
    return [name, shown, shownOfProduction, fallenMark(mine, its)];
  };
  const labels = Object.keys(candidate.classes).filter((label) => Object.hasOwn(production.classes, label));
  const rows = [
    row('Accuracy', (model) => [model.accuracy, withInterval(model.accuracy, model.accuracyInterval)]),
    row('Macro-F1', (model) => [model.macroF1, withInterval(model.macroF1, model.macroF1Interval)]),
    ...labels.map((label) =>
      row(`F1 of ${escapeMarkdown(label)}`, ({ classes }) => [classes[label]?.f1, percent(classes[label]?.f1)]),
    ),
  ];
  const current =
    productionVersion === undefined ? 'In production' : `In production (${escapeMarkdown(productionVersion)})`;
  return markdownTable(['', 'This model', current, ''], rows, ['This model', current]);
}

/** The classes that lost images, the ones first for which publishing would refuse the model. */
function lostTable(images: readonly ComparedImage[]): string {
  const lost = judgeClasses(tallyClasses(images)).filter((entry) => entry.lost > 0);
  if (lost.length === 0) return 'No image that production has right is wrong with this model.';
  const rows = lost
    .sort((a, b) => Number(isRefused(b)) - Number(isRefused(a)))
    .map((entry) => {
      const words = isRefused(entry) ? `**${wordsOf(entry)}**` : wordsOf(entry);
      const figures = [entry.images, entry.production, entry.candidate, entry.lost, entry.gained];
      const mark = `${fallenMark(entry.candidate, entry.production)} ${words}`.trim();
      return [escapeMarkdown(entry.label), ...figures.map(String), mark];
    });
  const figures = ['Images', 'Right in production', 'Right now', 'Became wrong', 'Became right'];
  const table = markdownTable(['Class that lost images', ...figures, ''], rows, figures);
  return `${table}\n\nThe images that became wrong are shown in ${escapeMarkdown(BECAME_WRONG_FILE)} in the artifact.`;
}
