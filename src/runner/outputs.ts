import { appendFileSync } from 'node:fs';
import { setOutput, summary } from '@actions/core';
import { appending } from './command-file.ts';
import { warn } from './log.ts';

/**
 * Sets outputs of the step; a later value replaces an earlier one. Without a runner there is nowhere to put them. Those
 * that can't be written are a warning: what the run has done is done.
 */
export function setOutputs(outputs: Readonly<Record<string, string | number>>): void {
  const path = process.env['GITHUB_OUTPUT'];
  if (!path) return;
  const failure = appending(path, () => {
    for (const [name, value] of Object.entries(outputs)) setOutput(name, value);
  });
  if (failure !== undefined) {
    warn(`The outputs of this step could not be written: ${failure} Jobs and steps that read them get nothing.`);
  }
}

/** Adds Markdown to the job summary. Without a runner there is none. One that can't be written is a warning. */
export async function writeSummary(markdown: string): Promise<void> {
  const path = process.env['GITHUB_STEP_SUMMARY'];
  if (!path) return;
  const text = summary.addRaw(markdown, true).stringify();
  summary.emptyBuffer();
  const failure = appending(path, () => appendFileSync(path, text));
  if (failure !== undefined) warn(`The job summary could not be written: ${failure} The log has the same facts.`);
}
