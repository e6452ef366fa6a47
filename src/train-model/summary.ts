import { percent, withInterval } from '../model/format-figure.ts';
import type { Baseline } from '../model/metrics.ts';
import { LABEL_ISSUES_PAGE } from '../model/model-folder.ts';
import { escapeMarkdown, markdownList, markdownTable } from '../runner/markdown.ts';
import type { Comparison } from './compare.ts';
import { comparisonTables } from './comparison-tables.ts';
import type { Epoch, Metrics } from './evaluation.ts';

/** More classes than this make a matrix that nobody can read in a summary; the picture in the artifact stays. */
const MAX_MATRIX_CLASSES = 25;
/** More points than this make the chart unreadable: some epochs are left out then. */
const MAX_POINTS = 60;

/** What a run has to show, as far as it came. */
export interface Results {
  readonly image: string;
  readonly imageDigest: string | undefined;
  readonly dataset:
    | { readonly name: string; readonly sha256: string | undefined; readonly seed: string | undefined }
    | undefined;
  readonly history: readonly Epoch[];
  readonly metrics: Metrics | undefined;
  readonly comparison: Comparison | undefined;
  /** `''` when there is none. */
  readonly artifactName: string;
  /** Folder in ownCloud that has the result instead; `''` when there is none. */
  readonly unpublished: string;
  readonly warnings: readonly string[];
}

/**
 * The job summary of a run, as GitHub Markdown.
 *
 * @param failure why the run failed, when it did
 */
export function summaryMarkdown(results: Results, failure?: string): string {
  const { metrics, comparison, history, warnings, artifactName, unpublished } = results;
  const sections = [
    '## Diatom model',
    failure === undefined ? '' : `> [!CAUTION]\n> ${escapeMarkdown(failure)}`,
    factsTable(results),
    warnings.length === 0 ? '' : `### Warnings\n\n${markdownList(warnings)}`,
    comparison ? `### Compared with production\n\n${comparisonTables(comparison)}` : '',
    metrics && Object.keys(metrics.classes).length > 0 ? `### Classes\n\n${classTable(metrics)}` : '',
    metrics?.confusion ? `### Confusion matrix\n\n${matrixTable(metrics.confusion)}` : '',
    learningCurve(history),
    unpublished === ''
      ? ''
      : `Model, evaluation and pictures are in ownCloud, in the folder “${escapeMarkdown(unpublished)}”.`,
    artifactName === '' ? '' : `Model, evaluation and pictures are in the artifact “${escapeMarkdown(artifactName)}”.`,
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function factsTable({ metrics, dataset, image, imageDigest }: Results): string {
  const rows = [
    ...(metrics
      ? [
          ['Accuracy', withInterval(metrics.accuracy, metrics.accuracyInterval)],
          ['Macro-F1', withInterval(metrics.macroF1, metrics.macroF1Interval)],
          ...(metrics.baseline ? baselineRows(metrics.baseline) : []),
          ...(metrics.images === undefined ? [] : [['Test images', String(metrics.images)]]),
          ...(metrics.answered ? [answeredRow(metrics.answered)] : []),
          ...(metrics.labelIssues ? [labelIssuesRow(metrics.labelIssues)] : []),
        ]
      : []),
    ...(dataset ? datasetRows(dataset) : []),
    ['Image', code(image)],
    ['Image digest', imageDigest === undefined ? 'none: it was never in a registry' : code(imageDigest)],
  ];
  return markdownTable(['Fact', 'Value'], rows);
}

function baselineRows({ accuracy, macroF1 }: Baseline): string[][] {
  return [
    ['Accuracy of the baseline (probe)', percent(accuracy)],
    ['Macro-F1 of the baseline (probe)', percent(macroF1)],
  ];
}

/** What is less probable is called “unknown” by the programs that use the model. */
function answeredRow({ threshold, images, right }: NonNullable<Metrics['answered']>): string[] {
  return [`At least ${percent(threshold)} sure`, `${images} of them, ${right} right`];
}

function labelIssuesRow({ images, suspected }: NonNullable<Metrics['labelIssues']>): string[] {
  return ['Labels to look at again', `${suspected} of ${images}, in train and test: see ${code(LABEL_ISSUES_PAGE)}`];
}

function datasetRows({ name, sha256, seed }: NonNullable<Results['dataset']>): string[][] {
  return [
    ['Data set', escapeMarkdown(name)],
    ['Data set SHA-256', sha256 === undefined ? 'none: it is a folder' : code(sha256)],
    ['Seed of its split', seed === undefined ? 'not known' : code(seed)],
  ];
}

function classTable({ classes }: Metrics): string {
  const rows = Object.entries(classes).map(([label, { precision, recall, f1, support }]) => [
    escapeMarkdown(label),
    ...[precision, recall, f1].map(percent),
    String(support),
  ]);
  const figures = ['Precision', 'Recall', 'F1', 'Test images'];
  return markdownTable(['Class', ...figures], rows, figures);
}

function matrixTable({ labels, counts }: NonNullable<Metrics['confusion']>): string {
  if (labels.length > MAX_MATRIX_CLASSES) {
    return `${labels.length} classes are too many for a table here: see confusion_matrix.png or metrics.json in the artifact.`;
  }
  // Names as headings would make the table so wide that GitHub cuts it off at half a dozen classes.
  const numbers = labels.map((_, index) => String(index + 1));
  const names = labels.map((label, index) => `**${index + 1} ${escapeMarkdown(label)}**`);
  const rows = counts.map((row, index) => [
    names[index] ?? '',
    ...row.map((count, column) => (count === 0 ? '·' : column === index ? `**${count}**` : String(count))),
  ]);
  const table = markdownTable(['', ...numbers], rows, numbers);
  return `A row for each true class, a column for each predicted one, by its number: what is off the diagonal was mistaken.\n\n${table}`;
}

/**
 * Accuracy and macro-F1 on the validation images, epoch by epoch. They share the scale from 0 to 1, which losses do not:
 * those are in the artifact's picture.
 */
function learningCurve(history: readonly Epoch[]): string {
  const measured = history.flatMap(({ epoch, valAccuracy, valMacroF1 }) =>
    valAccuracy === undefined || valMacroF1 === undefined ? [] : [{ epoch, valAccuracy, valMacroF1 }],
  );
  if (measured.length < 2) return '';
  const step = Math.ceil(measured.length / MAX_POINTS);
  const shown = measured.filter((_, index) => index % step === 0 || index === measured.length - 1);
  const line = (values: readonly number[]) => `  line [${values.map((value) => value.toFixed(4)).join(', ')}]`;
  return [
    '### Learning curve',
    '',
    '```mermaid',
    '---',
    'config:',
    '  xyChart:',
    '    width: 900',
    '    height: 360',
    '  themeVariables:',
    '    xyChart:',
    '      plotColorPalette: "#0f766e, #d99a3b"',
    '---',
    'xychart-beta',
    '  title "Validation images: accuracy (green) and macro-F1 (ochre)"',
    `  x-axis "Epoch" [${shown.map(({ epoch }) => epoch).join(', ')}]`,
    // Without bounds, the axis would begin at the smallest number and make a flat curve look steep.
    '  y-axis "Share" 0 --> 1',
    line(shown.map(({ valAccuracy }) => valAccuracy)),
    line(shown.map(({ valMacroF1 }) => valMacroF1)),
    '```',
  ].join('\n');
}

/** Text as it is; a backtick would end it. */
function code(text: string): string {
  return `\`${text.replaceAll('`', '')}\``;
}
