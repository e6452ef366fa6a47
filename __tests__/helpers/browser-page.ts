import { setTimeout as sleep } from 'node:timers/promises';

/** A page in a real browser. */
export interface Page {
  /** Addresses that the page has asked for, its own first. */
  readonly requests: readonly string[];
  /** What its console has said. */
  readonly errors: readonly string[];
  /** What a JavaScript expression gives, as JSON. */
  evaluate(expression: string): Promise<unknown>;
  /** Waits until an expression is true. */
  until(expression: string): Promise<void>;
  /** Gives files to an `<input type="file">`, as somebody who chooses them does. */
  choose(selector: string, files: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Looks again and again whether an expression is true. */
export async function until(evaluate: Page['evaluate'], expression: string, errors: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if ((await evaluate(expression)) === true) return;
    await sleep(100);
  }
  throw new Error(`It never happens that ${expression}. ${errors.join('\n')}`);
}
