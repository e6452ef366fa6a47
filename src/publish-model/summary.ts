import { type ComparedImage, tallyClasses } from '../model/compared-images.ts';
import { fallenMark } from '../model/fallen.ts';
import { percent, withInterval } from '../model/format-figure.ts';
import { figureName } from '../model/gate.ts';
import { figureOf } from '../model/gate-figures.ts';
import type { Metrics } from '../model/metrics.ts';
import { PRODUCTION } from '../model/model-folder.ts';
import { isRefused, judgeClasses, wordsOf } from '../model/worse-classes.ts';
import { escapeMarkdown, markdownList, markdownTable } from '../runner/markdown.ts';
import { shown } from './checks.ts';
import { gpuUseText } from './gpu-use.ts';
import type { Outcome } from './outcome.ts';

/**
 * The job summary of a run, as GitHub Markdown.
 *
 * @param failure why the run is red, when it is
 */
export function summaryMarkdown(
  outcome: Outcome,
  { warnings, failure }: { readonly warnings: readonly string[]; readonly failure: string | undefined },
): string {
  if (outcome.settled !== undefined)
    return `## ${escapeMarkdown(outcome.modelName)}: nothing new\n\n${escapeMarkdown(outcome.settled.sentence)}\n`;
  const sections = [
    `## ${escapeMarkdown(outcome.modelName)}: ${headline(outcome)}`,
    failure === undefined ? '' : `> [!CAUTION]\n${quoted(failure)}`,
    factsTable(outcome),
    warnings.length === 0 ? '' : `### Warnings\n\n${markdownList(warnings)}`,
    checksSection(outcome),
    figuresSection(outcome),
    rollBackSection(outcome),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

/** The job summary of a dry run: what the model is worth, and whether it would be promoted as a first one. */
export function dryRunMarkdown(
  modelName: string,
  { model, checks }: Required<Pick<Outcome, 'model' | 'checks'>>,
  { warnings, failure }: { readonly warnings: readonly string[]; readonly failure: string | undefined },
): string {
  const sections = [
    `## ${escapeMarkdown(modelName)}: ${checks.passed ? 'fit for production' : 'not fit for production'}`,
    failure === undefined ? '' : `> [!CAUTION]\n${quoted(failure)}`,
    'A dry run: no server was asked, and nothing was stored.',
    warnings.length === 0 ? '' : `### Warnings\n\n${markdownList(warnings)}`,
    checksSection({ checks, production: undefined }),
    figuresSection({ model, production: undefined }),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function headline({ kind, promoted, promotionWanted, checks }: Outcome): string {
  if (promoted) return kind === 'roll-back' ? 'rolled back' : 'in production';
  if (!checks.passed) return kind === 'roll-back' ? 'not rolled back' : 'stored, not promoted';
  return promotionWanted ? 'stored, not promoted' : 'stored, and fit for production';
}

function factsTable(outcome: Outcome): string {
  const { version, folder, page, server, url, sha256, production, promoted, replaced, removed, download, gpu } =
    outcome;
  const place = page === undefined ? escapeMarkdown(folder) : `[${escapeMarkdown(folder)}](<${page}>)`;
  const current = production ? code(production.version ?? 'a model without a VERSION file') : 'nothing';
  const now = promoted
    ? `${code(version)}${replaced === undefined ? '' : `, in place of ${current}, which is kept as ${code(replaced)}`}`
    : current;
  const rows = [
    ['Version', code(version)],
    ['Folder', `${place} on ${escapeMarkdown(server)}`],
    ['WebDAV address', code(url)],
    ['SHA-256 of model.pth', code(sha256)],
    ['In production', now],
    ...(gpu === undefined ? [] : [['GPU servers', escapeMarkdown(gpuUseText(gpu))]]),
    ...(download === undefined ? [] : [['Production in one file', code(download)]]),
    ...(removed.length > 0 ? [['Deleted (keep-versions)', removed.map(code).join(', ')]] : []),
  ];
  return markdownTable(['Fact', 'Value'], rows);
}

function checksSection({ checks, production }: Pick<Outcome, 'checks' | 'production'>): string {
  const { verdicts, findings } = checks;
  const rows = verdicts.map(({ condition, value, passed }) => {
    const { figure, label, operator, limit } = condition;
    const current = production?.metrics && figureOf(production.metrics, figure, label);
    return [
      passed ? '✅' : '❌',
      escapeMarkdown(figureName(condition)),
      escapeMarkdown(shown(value)),
      escapeMarkdown(`${operator} ${limit}`),
      current === undefined ? '–' : shown(current),
    ];
  });
  const header = ['', 'Gate', 'Model', 'Required', 'Production'];
  const table = rows.length === 0 ? '' : `${markdownTable(header, rows, ['Model', 'Required', 'Production'])}\n\n`;
  const list = findings.map(
    ({ passed, isWarning, sentence }) => `- ${passed ? (isWarning ? '⚠️' : '✅') : '❌'} ${escapeMarkdown(sentence)}`,
  );
  return `### Checks\n\n${table}${list.join('\n')}`;
}

/** On the same images when the two were compared; else each on its own test images, which says less. */
function figuresSection({ model, production }: Pick<Outcome, 'model' | 'production'>): string {
  if (!model) return '';
  const { comparison, metrics } = model;
  if (comparison?.scores) {
    const { candidate, production: other } = comparison.scores;
    const note = `On the ${comparison.compared} of ${comparison.total} test images that neither was trained on${comparison.tooFew ? ' (too few to decide)' : ''}:`;
    return `### Compared with production\n\n${note}\n\n${figuresTable(candidate, other, wordsByLabel(comparison.images ?? []))}`;
  }
  const note = production?.metrics ? 'Each on its own test images, so the two columns are no fair comparison:' : '';
  return ['### Figures', note, figuresTable(metrics, production?.metrics)].filter((part) => part !== '').join('\n\n');
}

/** @param words what there is to say about a class, where the two columns can be compared: then rows that fell are marked */
function figuresTable(model: Metrics, production: Metrics | undefined, words?: ReadonlyMap<string, string>): string {
  const rows = [
    figuresRow('Accuracy', ({ accuracy, accuracyInterval }) => [accuracy, withInterval(accuracy, accuracyInterval)]),
    figuresRow('Macro-F1', ({ macroF1, macroF1Interval }) => [macroF1, withInterval(macroF1, macroF1Interval)]),
    ...Object.keys(model.classes).map((label) =>
      figuresRow(
        `Recall of ${label}`,
        ({ classes }) => {
          const recall = Object.hasOwn(classes, label) ? classes[label]?.recall : undefined;
          return [recall, percent(recall)];
        },
        words?.get(label),
      ),
    ),
  ];
  const header = ['', 'Model', ...(production ? ['Production'] : []), ...(words ? [''] : [])];
  return markdownTable(header, rows, ['Model', 'Production']);

  function figuresRow(
    name: string,
    read: (figures: Metrics) => readonly [number | null | undefined, string],
    note = '',
  ): string[] {
    const [[mine, shownOfModel], its] = [read(model), production && read(production)];
    const mark = words ? [`${fallenMark(mine, its?.[0])} ${note}`.trim()] : [];
    return [escapeMarkdown(name), shownOfModel, ...(its ? [its[1]] : []), ...mark];
  }
}

/** What became of each class, in words. */
function wordsByLabel(images: readonly ComparedImage[]): Map<string, string> {
  return new Map(
    judgeClasses(tallyClasses(images)).map((entry) => {
      const words = wordsOf(entry);
      return [entry.label, isRefused(entry) ? `**${words}**` : words];
    }),
  );
}

function rollBackSection({
  promoted,
  production,
  version,
  checks,
  classesDiffer,
  modelName,
  replaced,
}: Outcome): string {
  if (!promoted) {
    if (checks.passed)
      return `This job promotes nothing. Where none after it does, run this action to promote the version, with ${inputs(modelName, version, classesDiffer)}.`;
    return '';
  }
  if (replaced === undefined) return '';
  if (production?.version === undefined) {
    return `What was in production before is no version. To put it back, rename the folders by hand: \`${PRODUCTION}\` to another name and \`${replaced}\` to \`${PRODUCTION}\`.`;
  }
  return `To roll back, run this action with ${inputs(modelName, production.version, classesDiffer)}.`;
}

function inputs(modelName: string, version: string, classesDiffer: boolean): string {
  const more = classesDiffer ? ' and `allow-class-change: true` (the classes differ)' : '';
  return `${code(`model-name: ${modelName}`)}, ${code(`promote-version: ${version}`)}${more}`;
}

/** Lines of a message as a quotation; a line that begins with “- ” is an item of a list. */
function quoted(text: string): string {
  const lines = text.split('\n').flatMap((line, index, all) => {
    const isItem = line.startsWith('- ');
    // Without an empty line before it, a line after a list belongs to the last item.
    const gap = index > 0 && isItem !== all[index - 1]?.startsWith('- ') ? [''] : [];
    return [...gap, isItem ? `- ${escapeMarkdown(line.slice(2))}` : escapeMarkdown(line)];
  });
  return lines.map((line) => `> ${line}`.trimEnd()).join('\n');
}

/** A text as code; names of files hold no line ends. */
function code(text: string): string {
  return `\`${text.replaceAll('`', "'").replaceAll('|', '\\|')}\``;
}
