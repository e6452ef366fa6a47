import { describe, expect, test } from 'vitest';
import type { ArchiveOutcome, Outcome } from '../../src/prepare-data/outcome.ts';
import { summaryMarkdown } from '../../src/prepare-data/summary.ts';

const ARCHIVE: ArchiveOutcome = {
  name: 'diatom_set-2026-11-22-17-45-00.zip',
  path: '/runner/diatom_set-2026-11-22-17-45-00.zip',
  facts: { bytes: 1_440_000, sha256: 'ab'.repeat(32), uploadSum: 'cd'.repeat(20), entries: 7 },
  manifestPath: '/runner/data/results/manifest.csv',
  reportPath: '/runner/data/results/report.html',
  delivery: undefined,
};

const DELIVERY: NonNullable<ArchiveOutcome['delivery']> = {
  url: 'https://cloud.example.org/remote.php/dav/files/ada/sets/a.zip',
  verified: 'checksum',
  server: 'ownCloud 10.15.0 at cloud.example.org',
  folder: 'sets (old)',
  page: 'https://cloud.example.org/index.php/apps/files/?dir=/sets%20(old)',
  removed: [],
  archiveKept: false,
};

function outcome(changes: Partial<Outcome> = {}): Outcome {
  return {
    seed: 'demo',
    classes: new Map([
      ['Gomphonema', { train: 20, test: 10 }],
      ['Hannaea', { train: 5, test: 2 }],
    ]),
    leftOut: [],
    warnings: [],
    changes: undefined,
    dataDir: '/runner/data',
    dataIdentity: 'ef'.repeat(32),
    archive: ARCHIVE,
    standing: undefined,
    ...changes,
  };
}

describe('the job summary', () => {
  test('has counts per class and split, as table and as chart, and the seed', () => {
    const summary = summaryMarkdown(outcome());
    expect(summary).toContain(
      '| Gomphonema | 20 | 10 | 30 |\n| Hannaea | 5 | 2 | 7 |\n| **All** | **25** | **12** | **37** |',
    );
    expect(summary).toContain('| Fact | Value |\n| --- | --- |\n| Images | 37: 25 train, 12 test |');
    expect(summary).toMatch(
      /```mermaid\n[^`]*x-axis \["Gomphonema", "Hannaea"\]\n[^`]*bar \[30, 7\]\n {2}bar \[10, 2\]\n```/,
    );
    expect(summary).toContain('seed `demo` give the same split again');
  });

  test('shows what has changed since the data set before, and nothing of it where there is none', () => {
    const none = { added: 0, returned: 0, relabelledTo: 0, relabelledFrom: 0, removed: 0, moved: 0 };
    const changes = new Map([['Han|naea', { ...none, added: 12, relabelledFrom: 1, moved: 3 }]]);
    expect(summaryMarkdown(outcome({ changes }))).toContain(
      [
        '### Changes since the data set before\n',
        '| Class | Added | Returned | Relabelled to it | Relabelled from it | Removed | Moved to test |',
        '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
        '| Han\\|naea | 12 | 0 | 0 | 1 | 0 | 3 |',
      ].join('\n'),
    );
    const same = summaryMarkdown(outcome({ changes: new Map() }));
    expect(same).toContain('None: the same images');
    expect(same).toContain('give the same split again, after the same data set before.');
    expect(summaryMarkdown(outcome())).not.toContain('Changes');
  });

  test('leads to the uploaded archive and says how it was verified', () => {
    const summary = summaryMarkdown(outcome({ archive: { ...ARCHIVE, path: undefined, delivery: DELIVERY } }));
    expect(summary).toContain(
      '| Uploaded to | [sets (old)](<https://cloud.example.org/index.php/apps/files/?dir=/sets%20(old)>) on ownCloud 10.15.0 at cloud.example.org, verified by checksum |',
    );
    expect(summary).toContain('| Archive | `diatom_set-2026-11-22-17-45-00.zip`, 1.4 MB |');
    expect(summary).toContain(`| SHA-256 | \`${'ab'.repeat(32)}\` |`);
    expect(summary).not.toContain('Local archive');
  });

  test('says that what can’t be read back is not verified, and where the local archive is', () => {
    const delivery = { ...DELIVERY, verified: 'no' as const, page: undefined, folder: '', removed: ['old_1.zip'] };
    const summary = summaryMarkdown(outcome({ archive: { ...ARCHIVE, delivery } }));
    expect(summary).toContain(
      'the top folder on ownCloud 10.15.0 at cloud.example.org, not verified: this link can’t be read back',
    );
    expect(summary).toContain('| Local archive | `/runner/diatom_set-2026-11-22-17-45-00.zip` |');
    expect(summary).toContain('| Deleted there | old\\_1.zip |');
  });

  test('lists warnings, and what was left out with numbers and examples', () => {
    const path = (reason: 'not an image' | 'duplicate', name: string) => ({ reason, zipName: 'h.zip', path: name });
    const leftOut = [
      ...['a.txt', 'b_c.txt', '<d>.txt', 'e.txt'].map((name) => path('not an image', name)),
      path('duplicate', 'x.png'),
    ];
    const summary = summaryMarkdown(outcome({ leftOut, warnings: ['h.zip: *one*', 'two'] }));
    expect(summary).toContain('### Warnings\n\n- h.zip: \\*one\\*\n- two\n');
    expect(summary).toContain('| not an image | 4 | h.zip: a.txt<br>h.zip: b\\_c.txt<br>h.zip: &lt;d&gt;.txt |');
    expect(summary).toContain('| duplicate | 1 | h.zip: x.png |');
  });

  test('of a dry run says that nothing was archived', () => {
    const summary = summaryMarkdown(outcome({ archive: undefined }));
    expect(summary).toMatch(/^## Diatom data set \(dry run: nothing archived, nothing uploaded\)\n/);
    expect(summary).not.toContain('SHA-256');
  });

  test('of a failed upload begins with the reason, in one box', () => {
    const summary = summaryMarkdown(
      outcome(),
      'The archive was not uploaded: full.\nNothing is lost: it is kept at /runner/a.',
    );
    expect(summary).toMatch(
      /> \[!CAUTION\]\n> The archive was not uploaded: full\.<br>\n> Nothing is lost: it is kept at \/runner\/a\.\n\n/,
    );
  });

  test('has no chart of more classes than it can show; the table stays', () => {
    const classes = new Map(Array.from({ length: 61 }, (_, index) => [`c${index}`, { train: 1, test: 1 }] as const));
    const summary = summaryMarkdown(outcome({ classes }));
    expect(summary).not.toContain('mermaid');
    expect(summary).toContain('| c60 | 1 | 1 | 2 |');
  });

  test('stays below the 1 MiB that GitHub shows, also with a thousand classes', () => {
    const label = (index: number) => `${'Achnanthidium_minutissimum_'.repeat(8)}${index}`;
    const classes = new Map(
      Array.from({ length: 1_000 }, (_, index) => [label(index), { train: 1, test: 1 }] as const),
    );
    expect(Buffer.byteLength(summaryMarkdown(outcome({ classes })))).toBeLessThan(1024 * 1024);
  });
});
