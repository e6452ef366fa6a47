import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { reportHtml } from '../../src/dataset/report.ts';
import type { ReportData, ReportPicture } from '../../src/dataset/report-types.ts';

const NASTY = `<img src=x onerror="alert(1)">&'`;

function sample(fileName: string, split: 'train' | 'test', content: string): ReportPicture {
  return { label: 'Hannaea', fileName, split, picture: { mediaType: 'image/png', data: Buffer.from(content) } };
}

function report(changes: Partial<ReportData> = {}): ReportData {
  return {
    seed: 'demo',
    options: [{ label: 'n-test', value: '10' }],
    classes: [
      {
        label: 'Hannaea',
        train: 30,
        test: 10,
        groups: 1_300,
        samples: [sample('a.png', 'test', 'picture')],
      },
      { label: 'Navicula', train: 1190, test: 10, groups: 7, samples: [] },
    ],
    near: undefined,
    leftOut: [{ reason: 'Not an image', count: 2, examples: ['README.txt'] }],
    warnings: ['Hannaea has few images.'],
    sources: [{ fileName: 'h.zip', sha256: 'ab'.repeat(32), label: 'Hannaea', images: 40, test: 10 }],
    sizes: [
      { name: '64–127', count: 930 },
      { name: '128–255', count: 310 },
    ],
    changes: undefined,
    ...changes,
  };
}

describe('the report', () => {
  test('is the same for the same data', () => {
    expect(reportHtml(report())).toBe(reportHtml(structuredClone(report())));
  });

  test('loads nothing, runs its own script only, and has a policy that forbids all else', () => {
    const page = reportHtml(report());
    expect(page).not.toMatch(/<script[^>]|https?:|<link|@import|url\(/i);
    const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script]) => script ?? '');
    expect(scripts).toHaveLength(1);
    const sum = hash('sha256', scripts[0] ?? '', 'base64');
    expect(page.replaceAll('&#39;', "'")).toContain(
      `content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${sum}'; base-uri`,
    );
  });

  test('says the counts of train and test, of each class and in all', () => {
    const page = reportHtml(report());
    expect(page).toContain('<title>Diatom data set: 1,240 images in 2 classes</title>');
    expect(page).toMatch(/Hannaea<\/bdi>.*>30<\/td>.*>10<\/td>.*>40<\/td>/);
    expect(page).toMatch(/All<\/th>.*>1,220<\/td>.*>20<\/td>.*>1,240<\/td>/);
    expect(page).toContain('The largest class has 1,200 images, the smallest 40.');
  });

  test('draws each bar in proportion to the largest class', () => {
    const page = reportHtml(report());
    expect(page).toContain('width="2.50%" height="100%"/><rect class="in-test" x="2.50%" width="0.83%"');
    expect(page).toContain('width="99.17%" height="100%"/><rect class="in-test" x="99.17%" width="0.83%"');
  });

  test('shows what has changed since the data set before, and nothing of it where there is none', () => {
    const none = { added: 0, returned: 0, relabelledTo: 0, relabelledFrom: 0, removed: 0, moved: 0 };
    const page = reportHtml(report({ changes: [{ label: 'Hannaea', ...none, added: 1_200, moved: 3 }] }));
    expect(page).toMatch(/What has changed.*Hannaea<\/bdi>.*"Added">1,200<.*"Removed">0<.*"Moved to test">3</s);
    expect(reportHtml(report({ changes: [] }))).toContain('The same images in the same classes');
    expect(reportHtml(report())).not.toContain('What has changed');
  });

  test('embeds the sample images with a text for those who can’t see them', () => {
    const source = `data:image/png;base64,${Buffer.from('picture').toString('base64')}`;
    expect(reportHtml(report())).toContain(`<img alt="Hannaea, test image a.png" src="${source}">`);
  });

  test('embeds exactly the bytes of a view into a larger buffer', () => {
    const data = new Uint8Array(Buffer.from('..picture..')).subarray(2, 9);
    const [hannaea] = report().classes;
    const samples = [{ ...sample('a.png', 'train', ''), picture: { mediaType: 'image/png', data } }];
    const page = reportHtml(report({ classes: hannaea ? [{ ...hannaea, samples }] : [] }));
    expect(page).toContain(`base64,${Buffer.from('picture').toString('base64')}"`);
  });

  test('shows text that looks like HTML as text, wherever it stands', () => {
    const nasty = { label: NASTY, fileName: NASTY, split: 'train', picture: { notShown: NASTY } } as const;
    const page = reportHtml({
      seed: NASTY,
      options: [{ label: NASTY, value: NASTY }],
      classes: [
        {
          label: NASTY,
          train: 1,
          test: 1,
          groups: undefined,
          samples: [
            { label: NASTY, fileName: NASTY, split: 'train', picture: { mediaType: NASTY, data: new Uint8Array() } },
            { label: NASTY, fileName: NASTY, split: 'test', picture: { notShown: NASTY } },
          ],
        },
      ],
      leftOut: [{ reason: NASTY, count: 1, examples: [NASTY] }],
      warnings: [NASTY],
      sources: [{ fileName: NASTY, sha256: NASTY, label: NASTY, images: 1, test: 1 }],
      sizes: [{ name: NASTY, count: 1 }],
      changes: undefined,
      near: { count: 1, unseen: 1, pairs: [{ test: nasty, train: nasty, distance: 1 }] },
    });
    expect(page.match(/<img /g)).toHaveLength(1);
    expect(page).not.toContain('onerror="');
    expect(page.split('&lt;img src=x').length - 1).toBeGreaterThanOrEqual(12);
  });

  test('links each picture to its image, and says for others why they are not shown', () => {
    const samples: ReportPicture[] = [
      { ...sample('a #1?.png', 'train', 'x'), label: 'cf. lanceolata?' },
      { ...sample('b.jp2', 'test', 'x'), picture: { notShown: 'a format that is not decoded here' } },
    ];
    const page = reportHtml(report({ classes: [{ label: 'H', train: 1, test: 1, groups: undefined, samples }] }));
    expect(page).toContain('<a href="train/cf.%20lanceolata%3F/a%20%231%3F.png"><img ');
    expect(page).toContain('<a href="test/Hannaea/b.jp2"><span class="not-shown">not shown: a format that is not');
    expect(page.indexOf('train/cf.')).toBeLessThan(page.indexOf('test/Hannaea'));
  });

  test('shows groups where images are grouped, and how many images have which size', () => {
    const page = reportHtml(report());
    expect(page).toMatch(/>Groups<\/th>.*Hannaea<\/bdi>.*"Groups">1,300<.*Navicula<\/bdi>.*"Groups">7</s);
    expect(page).toMatch(/64–127<\/th>.*width="100.00%".*>930<.*128–255<\/th>.*width="33.33%".*>310</s);
    const classes = [{ label: 'H', train: 1, test: 1, groups: undefined, samples: [] }];
    expect(reportHtml(report({ classes }))).not.toContain('Groups');
  });

  test('leaves out the parts that have nothing to say', () => {
    const page = reportHtml(report({ warnings: [], leftOut: [], options: [], sources: [], classes: [], sizes: [] }));
    for (const heading of ['to look at', 'Left out', 'How it was made', 'come from', 'A few images', 'Sizes of']) {
      expect(page).not.toContain(heading);
    }
  });
});
