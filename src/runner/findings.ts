import { messageOf, throwIfCancelled } from '../errors.ts';
import { fail, info, warn } from './log.ts';
import { escapeMarkdown, markdownTable } from './markdown.ts';
import { writeSummary } from './outputs.ts';

/** One line of a check: what was looked at, and a sentence about it. */
export interface Finding {
  readonly subject: string;
  readonly ok: boolean;
  /** Whether somebody should know of it although it is `ok`. */
  readonly isWarning?: boolean;
  readonly sentence: string;
}

/** Looks at something; what it throws is the finding, unless the run was cancelled. */
export async function find(
  subject: string,
  signal: AbortSignal,
  look: () => Promise<string | Pick<Finding, 'isWarning' | 'sentence'>>,
): Promise<Finding> {
  try {
    const found = await look();
    return { subject, ok: true, ...(typeof found === 'string' ? { sentence: found } : found) };
  } catch (error) {
    throwIfCancelled(signal);
    return { subject, ok: false, sentence: messageOf(error) };
  }
}

/** The findings as one table. */
function checkMarkdown(findings: readonly Finding[]): string {
  const rows = findings.map(({ subject, ok, isWarning, sentence }) => [
    ok ? (isWarning ? '⚠️' : '✅') : '❌',
    escapeMarkdown(subject),
    escapeMarkdown(sentence),
  ]);
  return `## Check\n\n${markdownTable(['', 'What', 'Found'], rows)}\n`;
}

/** Shows what was found; the step is red when a run would fail. */
export async function reportFindings(findings: readonly Finding[]): Promise<void> {
  for (const { subject, ok, isWarning, sentence } of findings) {
    if (isWarning) warn(`${subject}: ${sentence}`);
    else info(`${ok ? 'ok    ' : 'FAILED'} ${subject}: ${sentence}`);
  }
  await writeSummary(checkMarkdown(findings));
  const faults = findings.filter(({ ok }) => !ok);
  if (faults.length > 0) fail(['A run would fail:', ...bySentence(faults)].join('\n'));
}

/** Sixty zips at a server that is away are one line. */
function bySentence(faults: readonly Finding[]): string[] {
  const subjects = new Map<string, string[]>();
  for (const { subject, sentence } of faults) subjects.set(sentence, [...(subjects.get(sentence) ?? []), subject]);
  return [...subjects].map(([sentence, all]) => `- ${all.join(', ')}: ${sentence}`);
}
