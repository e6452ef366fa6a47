import { setOutput, summary } from '@actions/core';

/** Sets outputs of the step; a later value replaces an earlier one. Without a runner there is nowhere to put them. */
export function setOutputs(outputs: Readonly<Record<string, string | number>>): void {
  if (!process.env['GITHUB_OUTPUT']) return;
  for (const [name, value] of Object.entries(outputs)) setOutput(name, value);
}

/** Adds Markdown to the job summary. Without a runner there is none. */
export async function writeSummary(markdown: string): Promise<void> {
  if (!process.env['GITHUB_STEP_SUMMARY']) return;
  await summary.addRaw(markdown, true).write();
}
