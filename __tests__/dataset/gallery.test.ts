import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createGallery, type GalleryImage } from '../../src/dataset/gallery.ts';

function chooseGallery(images: readonly GalleryImage[]): GalleryImage[] {
  const gallery = createGallery(images.map(({ label }) => label));
  for (const image of images) gallery.announce(image);
  return images.filter(gallery.takes);
}

function planned(label: string, name: string, bytes: number): GalleryImage {
  return { label, name, bytes };
}

/** What the pictures weigh in the page: base64 makes four characters of three bytes. */
function embeddedBytes(chosen: Iterable<GalleryImage>): number {
  return [...chosen].reduce((sum, { bytes }) => sum + Math.ceil(bytes / 3) * 4, 0);
}

function perClass(chosen: Iterable<GalleryImage>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { label } of chosen) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

describe('the gallery', () => {
  test('is below 2 MB when embedded, with at most six pictures a class', () => {
    const sizes = fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 3_000_000 }));
    const classes = fc.array(fc.array(sizes, { maxLength: 40 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(classes, (drawn) => {
        const images = drawn.flatMap((bytes, label) =>
          bytes.map((size, at) => planned(`c${label}`, `${at}.png`, size)),
        );
        const chosen = chooseGallery(images);
        expect(embeddedBytes(chosen)).toBeLessThan(1_900_000);
        expect(Math.max(0, ...Object.values(perClass(chosen)))).toBeLessThanOrEqual(6);
        for (const one of chosen) expect(images).toContain(one);
      }),
    );
  });

  test('leaves out what browsers can’t show', () => {
    const images = ['a.tif', 'b.TIFF', 'c.png', 'd.JPG', 'e.webp', 'f.bmp', 'g.gif', 'h.dat'].map((name) =>
      planned('c', name, 100),
    );
    expect(chooseGallery(images).map(({ name }) => name)).toEqual(['c.png', 'd.JPG', 'e.webp', 'f.bmp', 'g.gif']);
  });

  test('is spread over a class’s images, first to last', () => {
    const images = Array.from({ length: 80 }, (_, index) => planned('c', `${index}.png`, 1_000));
    const chosen = chooseGallery(images).map(({ name }) => Number.parseInt(name, 10));
    expect(chosen).toHaveLength(6);
    expect(chosen[0]).toBe(0);
    const gaps = chosen.slice(1).map((index, at) => index - (chosen[at] ?? 0));
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
  });

  test('shows every class, also one of large images beside one of small ones', () => {
    const images = [
      ...Array.from({ length: 20 }, (_, index) => planned('large', `${index}.png`, 300_000)),
      ...Array.from({ length: 20 }, (_, index) => planned('small', `${index}.png`, 1_000)),
      ...Array.from({ length: 19 }, (_, index) => planned('mixed', `${index}.png`, 400_000)),
      planned('mixed', 'thumbnail.png', 2_000),
    ];
    const shown = perClass(chooseGallery(images));
    expect(shown).toEqual({ large: 1, small: 6, mixed: 1 });
  });

  test('of no images is empty', () => {
    expect(chooseGallery([])).toEqual([]);
  });
});
