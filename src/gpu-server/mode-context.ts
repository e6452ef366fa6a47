import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { throwIfCancelled } from '../errors.ts';
import { createHttpClient, type HttpClient } from '../http/client.ts';
import { mask } from '../runner/log.ts';
import { proxyFor } from '../runner/proxy.ts';
import type { Driver } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import { type Github, openGithub } from './github.ts';
import type { Inputs } from './inputs.ts';

/** All that a mode works with. A clean-up after a cancelled run has a context of its own. */
export interface ModeContext {
  readonly inputs: Inputs;
  readonly driver: Driver;
  readonly github: Github;
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
  close(): Promise<void>;
}

export async function openModeContext(
  inputs: Inputs,
  env: NodeJS.ProcessEnv,
  { signal, onWarning }: Pick<DriverContext, 'signal' | 'onWarning'>,
): Promise<ModeContext> {
  const { limits, repository } = inputs;
  const context = { signal, onWarning, env, temporary: env['RUNNER_TEMP'] || tmpdir(), repository, limits };
  const driver = await inputs.openDriver(context);
  const http = createHttpClient({ proxyFor });
  return {
    inputs,
    driver,
    github: openGithub(inputs, http, signal, mask),
    http,
    signal,
    onWarning,
    async close() {
      await driver.close();
      await http.close();
    },
  };
}

/**
 * The labels of the runner that takes the jobs of a server: its own, or those of one which is there for good.
 *
 * @param name of the server; by default this training's
 */
export function labelsOf(
  { inputs, driver }: Pick<ModeContext, 'inputs' | 'driver'>,
  name: string = inputs.name,
): readonly string[] {
  const { runnerLabels } = inputs;
  // A runner that is registered ahead gets no label by itself.
  if (driver.makesRunner) return ['self-hosted', name, ...runnerLabels];
  const labels = runnerLabels.length > 0 ? runnerLabels : ['self-hosted', 'gpu'];
  return driver.isForOne ? [...labels, name] : labels;
}

/** What `runs-on` of a job must be to come to the server. */
export function runsOn(context: Pick<ModeContext, 'inputs' | 'driver'>): readonly string[] {
  return context.driver.makesRunner ? ['self-hosted', context.inputs.name] : labelsOf(context);
}

/** Waits between looks at something: short at first, so that what is quick is seen soon, then longer. */
export function pauses(signal: AbortSignal): () => Promise<void> {
  let ms = 500;
  return async () => {
    ms = Math.min(15_000, ms * 1.5);
    await delay(ms, undefined, { signal }).catch(() => throwIfCancelled(signal));
  };
}
