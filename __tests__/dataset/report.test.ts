import { describe, expect, test } from 'vitest';
import { type ReportData, reportHtml, showableMediaType } from '../../src/dataset/report.ts';

const NASTY = `<img src=x onerror="alert(1)">&'`;

function report(changes: Partial<ReportData> = {}): ReportData {
  return {
    seed: 'demo',
    options: [{ label: 'n-test', value: '10' }],
    classes: [
      {
        label: 'Hannaea',
        train: 30,
        test: 10,
        samples: [{ fileName: 'a.png', split: 'test', mediaType: 'image/png', data: Buffer.from('picture') }],
        notShown: 39,
      },
      { label: 'Navicula', train: 1190, test: 10, samples: [], notShown: 1200 },
    ],
    leftOut: [{ reason: 'Not an image', count: 2, examples: ['README.txt'] }],
    warnings: ['Hannaea has few images.'],
    sources: [{ fileName: 'h.zip', sha256: 'ab'.repeat(32), label: 'Hannaea', images: 40, test: 10 }],
    unshowable: [{ extension: 'tif', count: 7 }],
    changes: undefined,
    ...changes,
  };
}

describe('the report', () => {
  test('is the same for the same data', () => {
    expect(reportHtml(report())).toBe(reportHtml(structuredClone(report())));
  });

  test('loads nothing: no script, no address, and a policy that forbids both', () => {
    const page = reportHtml(report());
    expect(page).not.toMatch(/<script|https?:|<link|@import|url\(/i);
    expect(page).toContain(`content="default-src 'none'; img-src data:; style-src 'unsafe-inline'`);
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
    const samples = [{ fileName: 'a.png', split: 'train' as const, mediaType: 'image/png', data }];
    const page = reportHtml(report({ classes: hannaea ? [{ ...hannaea, samples }] : [] }));
    expect(page).toContain(`base64,${Buffer.from('picture').toString('base64')}"`);
  });

  test('shows text that looks like HTML as text, wherever it stands', () => {
    const page = reportHtml({
      seed: NASTY,
      options: [{ label: NASTY, value: NASTY }],
      classes: [
        {
          label: NASTY,
          train: 1,
          test: 1,
          samples: [{ fileName: NASTY, split: 'train', mediaType: NASTY, data: new Uint8Array() }],
          notShown: 1,
        },
      ],
      leftOut: [{ reason: NASTY, count: 1, examples: [NASTY] }],
      warnings: [NASTY],
      sources: [{ fileName: NASTY, sha256: NASTY, label: NASTY, images: 1, test: 1 }],
      unshowable: [{ extension: NASTY, count: 1 }],
      changes: undefined,
    });
    expect(page.match(/<img /g)).toHaveLength(1);
    expect(page).not.toContain('onerror="');
    expect(page.split('&lt;img src=x').length - 1).toBeGreaterThanOrEqual(12);
  });

  test('says which images a browser can’t show', () => {
    expect(reportHtml(report())).toContain('can’t be shown in a browser, but are in the data set: 7 .tif.');
    expect(reportHtml(report({ unshowable: [] }))).not.toContain('in a browser');
  });

  test('leaves out the parts that have nothing to say', () => {
    const page = reportHtml(report({ warnings: [], leftOut: [], options: [], sources: [], classes: [] }));
    for (const heading of ['to look at', 'Left out', 'How it was made', 'come from', 'A few images']) {
      expect(page).not.toContain(heading);
    }
  });
});

test('browsers show PNG, JPEG, GIF, WebP, BMP and AVIF, in either case of the name; TIFF they don’t', () => {
  const shown = ['a.png', 'a.JPG', 'a.jpeg', 'a.gif', 'a.webp', 'a.bmp', 'x.y.avif'].map(showableMediaType);
  expect(shown).toEqual([
    'image/png',
    'image/jpeg',
    'image/jpeg',
    'image/gif',
    'image/webp',
    'image/bmp',
    'image/avif',
  ]);
  expect(['a.tif', 'a.tiff', 'png', 'a.png.txt', 'a.constructor'].map(showableMediaType)).toEqual(
    Array(5).fill(undefined),
  );
});
