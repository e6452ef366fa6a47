import { DiatomError, throwIfCancelled } from '../errors.ts';

/** How a cloud is asked for one of several kinds of servers. */
export interface Asking<Choice, Made> {
  make(choice: Choice): Promise<Made>;
  /** Its word for “not this one, not now”; `undefined` for everything else, which would be refused elsewhere as well. */
  refusalOf(error: unknown): string | undefined;
  wording(choice: Choice): string;
  /** @param refusals one a line */
  none(refusals: string): string;
}

/**
 * The first of all choices that the cloud has room for.
 *
 * @throws DiatomError `SERVER` when there is none, with what was said about each; `CANCELLED`
 */
export async function firstToBeHad<Choice, Made>(
  choices: readonly Choice[],
  signal: AbortSignal,
  { make, refusalOf, wording, none }: Asking<Choice, Made>,
): Promise<Made> {
  const refusals: string[] = [];
  for (const choice of choices) {
    throwIfCancelled(signal);
    try {
      return await make(choice);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      refusals.push(`- ${wording(choice)}: ${refusal}`);
    }
  }
  throw new DiatomError('SERVER', none(refusals.join('\n')));
}
