import { fail, group, info, warn } from '../runner/log.ts';
import { setOutputs, writeSummary } from '../runner/outputs.ts';
import { checkCandidate, refusalLines } from './checks.ts';
import type { Context } from './context.ts';
import { fetchModel } from './fetch-model.ts';
import type { DryRun } from './inputs.ts';
import { dryRunMarkdown } from './summary.ts';

/** Judges a model as a first one would be, and shows it; no server is asked, and nothing is stored. */
export async function dryRun(task: DryRun, context: Pick<Context, 'signal' | 'env'>): Promise<void> {
  const warnings: string[] = [];
  const onWarning = (message: string) => {
    warn(message);
    warnings.push(message);
  };
  const { model, close } = await group('Check the model', () => fetchModel(task, { ...context, onWarning }));
  await close();
  const checks = checkCandidate(model, undefined, task.rules);
  setOutputs({ 'gate-passed': String(checks.passed), promoted: 'false', sha256: model.sha256 });
  const lines = refusalLines(checks, undefined).map((line) => `- ${line}`);
  const failure = checks.passed ? undefined : ['The model would not be promoted:', ...lines].join('\n');
  if (failure === undefined) info('The model would be promoted. Nothing was stored: this was a dry run.');
  else fail(failure);
  await writeSummary(dryRunMarkdown(task.modelName, { model, checks }, { warnings, failure }));
}
