import { DiatomError } from '../errors.ts';
import type { ProgramResult } from '../runner/exec.ts';
import { runTool, type ToolOptions } from '../runner/tool.ts';

/** A cloud refused, or did not answer. `said` is its own word for it. */
export class CloudError extends DiatomError {
  readonly said: string;

  constructor(message: string, said: string) {
    super('SERVER', message);
    this.name = 'CloudError';
    this.said = said;
  }
}

/** What a refusal means for whoever set this up. */
export type Remedies = readonly (readonly [said: RegExp, remedy: string])[];

/** A cloud’s refusal, with what to do about it: by the first of the remedies that knows its words. */
export function refusal(what: string, said: string, gist: string, remedies: Remedies): CloudError {
  const remedy = remedies.find(([words]) => words.test(said))?.[1];
  return new CloudError(`${what}: ${gist}${remedy === undefined ? '' : ` ${remedy}`}`, said);
}

/** How a cloud is asked something by its command-line tool. */
export interface CallOptions {
  /** Texts that no message may repeat. */
  readonly secrets?: readonly string[];
  /**
   * Waits for the answer even when the run is cancelled, until its time limit: a clean-up can only find what exists by
   * then.
   */
  readonly finish?: boolean;
}

/**
 * Runs the tool. An exit code is a result.
 *
 * @param noAnswer makes the error of a tool that can't be started or took too long
 */
export async function askCloud(
  tool: string,
  args: readonly string[],
  { signal, finish, ...options }: Pick<ToolOptions, 'env' | 'signal' | 'limitMs'> & { readonly finish: boolean },
  noAnswer: (why: string) => Error,
): Promise<ProgramResult> {
  try {
    return await runTool(tool, args, { ...options, signal: finish ? new AbortController().signal : signal });
  } catch (error) {
    if (error instanceof DiatomError && error.code === 'SERVER') throw noAnswer(error.message);
    throw error;
  }
}

/** What the command-line tool of a cloud has said, without secrets. */
export function hide(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => [secret, Buffer.from(secret).toString('base64')])
    .reduce((hidden, secret) => hidden.replaceAll(secret, '***'), text);
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'it says nothing';
}
