import { expect, test } from 'vitest';
import { archiveName } from '../../src/prepare-data/archive-name.ts';

test('an archive is named by prefix and time, in UTC, to the second', () => {
  expect(archiveName('diatom_set', new Date('2026-01-02T03:04:05.999Z'))).toBe('diatom_set-2026-01-02-03-04-05.zip');
  expect(archiveName('x', new Date('2026-01-01T00:30:00+02:00'))).toBe('x-2025-12-31-22-30-00.zip');
});
