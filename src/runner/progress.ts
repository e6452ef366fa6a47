import { formatBytes, formatDuration } from '../format.ts';

/** A log gets a line this often, in milliseconds; a terminal is redrawn more often. */
const LINE_INTERVAL = 5_000;
const BAR_INTERVAL = 100;
const BAR_WIDTH = 30;

/** Shows how far a long step is. */
export interface Progress {
  /** @param done bytes so far; @param total bytes in all, when they are known */
  update(done: number, total: number | undefined): void;
  /** Ends the bar's line. */
  end(): void;
}

/**
 * A bar that redraws itself on a terminal, else a line every few seconds: bytes, rate, time left.
 *
 * @param out where it is written; `isTTY` decides between the two. By default the bar goes to stderr, as bars do, so
 *   that stdout can be read by another program
 * @param now the clock, in milliseconds
 */
export function createProgress(
  label: string,
  out: { write(text: string): unknown; isTTY?: boolean } = process.stderr.isTTY ? process.stderr : process.stdout,
  now: () => number = Date.now,
): Progress {
  const interval = out.isTTY ? BAR_INTERVAL : LINE_INTERVAL;
  const start = now();
  let last = start;
  let drawn = false;
  return {
    update(done, total) {
      const time = now();
      const finished = done === total;
      if (time - last < interval && !(finished && drawn)) return;
      last = time;
      const text = describe(done, total, time - start);
      if (out.isTTY) out.write(`\r\u001b[K${label} ${total ? bar(done / total) : ''} ${text}`);
      else if (!finished) out.write(`${label}: ${text}\n`);
      drawn = true;
    },
    end() {
      if (drawn && out.isTTY) out.write('\r\u001b[K');
    },
  };
}

function describe(done: number, total: number | undefined, elapsed: number): string {
  const rate = elapsed > 0 ? (done / elapsed) * 1_000 : 0;
  const amount = total ? `${formatBytes(done)} of ${formatBytes(total)}` : formatBytes(done);
  const left = total && rate > 0 ? `, ${formatDuration((total - done) / rate)} left` : '';
  return `${amount}, ${formatBytes(rate)}/s${left}`;
}

function bar(fraction: number): string {
  const full = Math.round(Math.min(1, fraction) * BAR_WIDTH);
  return `[${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}]`;
}
