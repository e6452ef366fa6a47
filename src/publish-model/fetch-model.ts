import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../format.ts';
import { evaluateGate } from '../model/gate.ts';
import { downloadArtifact } from '../runner/download-artifact.ts';
import { info } from '../runner/log.ts';
import type { Context } from './context.ts';
import type { DryRun, Source } from './inputs.ts';
import { readLocalModel } from './local-model.ts';

/** Puts what lies in a folder on the server into a local one. */
type Bring = (from: string, folder: string) => Promise<void>;

/** Reads a model from where it is; what was brought here for it is gone with `close`. */
export async function fetchModel(
  { source, rules, modelName, about }: Pick<DryRun, 'source' | 'rules' | 'modelName' | 'about'>,
  { signal, env, onWarning }: Pick<Context, 'signal' | 'env' | 'onWarning'>,
  bring?: Bring,
) {
  const own = 'folder' in source ? undefined : await mkdtemp(join(env['RUNNER_TEMP'] || tmpdir(), 'model-'));
  const close = async () => {
    if (own !== undefined) await rm(own, { recursive: true, force: true });
  };
  try {
    const model = await readLocalModel(await folderOf(source, own ?? '', bring), { name: modelName, about }, signal);
    // A gate that asks for a class the model does not have should show before anything is uploaded.
    evaluateGate(rules.gate, model.metrics, model.classes);
    for (const warning of model.warnings) onWarning(warning);
    const bytes = model.files.reduce((sum, file) => sum + file.bytes, 0);
    info(`${model.files.length} files, ${formatBytes(bytes)}, ${model.classes.length} classes.`);
    return { model, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function folderOf(source: Source, own: string, bring: Bring | undefined): Promise<string> {
  if ('folder' in source) return source.folder;
  if ('artifact' in source) await downloadArtifact(source.artifact, own);
  else await bring?.(source.unpublished, own);
  return own;
}
