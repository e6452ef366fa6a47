import { describe, expect, test } from 'vitest';
import { createProgress } from '../../src/runner/progress.ts';

/** A stream and a clock in our hands. */
function screen(isTTY: boolean) {
  const written: string[] = [];
  let time = 1_000_000;
  const progress = createProgress('Uploading', { isTTY, write: (text) => written.push(text) }, () => time);
  const pass = (milliseconds: number) => {
    time += milliseconds;
  };
  return { progress, written, pass };
}

describe('in a log', () => {
  test('there is a line every five seconds: bytes, rate, time left', () => {
    const { progress, written, pass } = screen(false);
    for (let second = 1; second <= 12; second++) {
      pass(1_000);
      progress.update(second * 2_000_000, 100_000_000);
    }
    progress.end();
    expect(written).toEqual([
      'Uploading: 10.0 MB of 100 MB, 2.0 MB/s, 45 s left\n',
      'Uploading: 20.0 MB of 100 MB, 2.0 MB/s, 40 s left\n',
    ]);
  });

  test('without a known total it tells bytes and rate', () => {
    const { progress, written, pass } = screen(false);
    pass(10_000);
    progress.update(5_000_000, undefined);
    expect(written).toEqual(['Uploading: 5.0 MB, 500 kB/s\n']);
  });

  test('what is done within five seconds, and the end itself, make no line', () => {
    const { progress, written, pass } = screen(false);
    pass(4_999);
    progress.update(99, 100);
    pass(10_000);
    progress.update(100, 100);
    progress.end();
    expect(written).toEqual([]);
  });
});

describe('on a terminal', () => {
  test('a bar redraws itself, at most ten times a second, and is wiped at the end', () => {
    const { progress, written, pass } = screen(true);
    for (let step = 1; step <= 20; step++) {
      pass(50);
      progress.update(step * 5, 100);
    }
    expect(written).toHaveLength(10);
    expect(written[4]).toBe(
      `\r\u001b[KUploading [${'█'.repeat(15)}${'░'.repeat(15)}] 50 B of 100 B, 100 B/s, 1 s left`,
    );
    expect(written[9]).toContain(`[${'█'.repeat(30)}] 100 B of 100 B`);
    for (const text of written) expect(text).not.toContain('\n');
    progress.end();
    expect(written.at(-1)).toBe('\r\u001b[K');
  });

  test('the bar reaches its end, also when the last bytes come at once', () => {
    const { progress, written, pass } = screen(true);
    pass(150);
    progress.update(50, 100);
    pass(1);
    progress.update(100, 100);
    expect(written).toHaveLength(2);
    expect(written[1]).toContain('100 B of 100 B');
  });

  test('more bytes than were announced don’t break the bar', () => {
    const { progress, written, pass } = screen(true);
    pass(1_000);
    progress.update(150, 100);
    expect(written[0]).toContain(`[${'█'.repeat(30)}]`);
  });

  test('what ends before anything was drawn wipes nothing', () => {
    const { progress, written } = screen(true);
    progress.update(1, 100);
    progress.end();
    expect(written).toEqual([]);
  });
});
