import { expect, test } from 'vitest';
import { archiveName, endsAsArchive, isArchiveName } from '../../src/dataset/archive-names.ts';

test('an archive is named by prefix and time, in UTC, to the second', () => {
  expect(archiveName('diatom_set', new Date('2026-01-02T03:04:05.999Z'))).toBe('diatom_set-2026-01-02-03-04-05.zip');
  expect(archiveName('x', new Date('2026-01-01T00:30:00+02:00'))).toBe('x-2025-12-31-22-30-00.zip');
});

test.each([
  ['diatom_set', true],
  ['diatom', false],
  ['diatom_set-2026', false],
  ['', false],
])('the archive of diatom_set is one of the prefix %j: %s', (prefix, expected) => {
  expect(isArchiveName(archiveName('diatom_set', new Date()), prefix)).toBe(expected);
});

test('what has no time at its end is no archive', () => {
  expect(endsAsArchive(archiveName('x', new Date()))).toBe(true);
  expect(endsAsArchive('x.zip')).toBe(false);
  expect(endsAsArchive('x-2026-01-02-03-04-05.zip.part')).toBe(false);
});
