import { afterAll, describe, test } from 'vitest';

/** One row of a table: what is tried, and how it is seen that it ended as it should. */
export interface Row {
  readonly name: string;
  /** @throws when it ended otherwise */
  prove(): Promise<void>;
}

/** A test for each row, and at the end a line with how many were tried and how many were right. */
export function table(title: string, rows: readonly Row[]): void {
  let [tried, right] = [0, 0];
  describe(title, () => {
    test.each(rows)('$name', async ({ prove }) => {
      tried++;
      await prove();
      right++;
    });
    afterAll(() => void process.stdout.write(`${title}: ${tried} tried, ${right} right\n`));
  });
}
