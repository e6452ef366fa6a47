import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Html, html } from '../dataset/html.ts';
import { breakable, htmlPage, images as imageCount, number, pictureSource } from '../dataset/html-page.ts';
import { showableMediaType } from '../image/formats.ts';
import { type ComparedImage, tallyClasses } from '../model/compared-images.ts';
import { isRefused, type JudgedClass, judgeClasses, wordsOf } from '../model/worse-classes.ts';

/** Bytes of pictures in the page: embedding makes them a third larger, and the page shall stay at some 3 MB. */
const PICTURE_BYTES = 2_200_000;

/** Names of images without a picture that are listed, per class: the whole list is in comparison.json. */
const MAX_NAMES = 50;

/** A class that lost images, those that have a picture, and the names of the others. */
interface LostImages extends JudgedClass {
  readonly pictures: { readonly image: ComparedImage; readonly source: string }[];
  readonly others: ComparedImage[];
}

/**
 * The images that production has right and the candidate wrong, as a page with small pictures: the image files themselves,
 * as many as the page has room for and as browsers can show.
 *
 * @param dataset folder that the images lie in
 * @returns `undefined` when there are none
 */
export async function becameWrongPage(
  dataset: string,
  images: readonly ComparedImage[],
  productionVersion: string | undefined,
): Promise<string | undefined> {
  const classes = await withPictures(dataset, images);
  if (classes.length === 0) return undefined;
  const sum = (field: 'lost' | 'gained') => sumOf(judgeClasses(tallyClasses(images)), field);
  return htmlPage(
    'What became wrong',
    html`<header>
<h1>What became wrong</h1>
<p class="lead">Test images that neither model was trained on, and that production${productionVersion === undefined ? '' : html` (${productionVersion})`} has right and this model wrong.</p>
<dl class="figures">
<div><dt>Compared</dt><dd>${number(images.length)}</dd></div>
<div><dt>Became wrong</dt><dd>${number(sum('lost'))}</dd></div>
<div><dt>Became right</dt><dd>${number(sum('gained'))}</dd></div>
</dl>
</header>
${classTable(classes)}
<section aria-labelledby="images">
<h2 id="images">Image by image</h2>
${classes.map(classSection)}</section>`,
  );
}

function sumOf(classes: readonly JudgedClass[], field: 'lost' | 'gained'): number {
  return classes.reduce((total, entry) => total + entry[field], 0);
}

/** Chooses pictures class by class in turn, the gravest losses first, so that no class takes the room of another. */
async function withPictures(dataset: string, images: readonly ComparedImage[]): Promise<LostImages[]> {
  const classes = judgeClasses(tallyClasses(images))
    .filter(({ lost }) => lost > 0)
    .sort((a, b) => Number(isRefused(b)) - Number(isRefused(a)) || b.lost - b.gained - (a.lost - a.gained))
    .map((entry): LostImages & { queue: ComparedImage[] } => {
      const isLost = ({ label, production, candidate }: ComparedImage) =>
        label === entry.label && production === label && candidate !== label;
      return { ...entry, pictures: [], others: [], queue: images.filter(isLost) };
    });
  let room = PICTURE_BYTES;
  for (let waiting = [...classes]; waiting.length > 0; waiting = waiting.filter(({ queue }) => queue.length > 0)) {
    for (const { queue, pictures, others } of waiting) {
      const image = queue.shift();
      if (!image) continue;
      const source = await pictureOf(join(dataset, image.path), room);
      if (!source) others.push(image);
      else {
        room -= source.bytes;
        pictures.push({ image, source: source.text });
      }
    }
  }
  return classes;
}

/** @returns `undefined` when browsers don't show such a file, when it can't be read, or when there is no room for it */
async function pictureOf(path: string, room: number): Promise<{ bytes: number; text: string } | undefined> {
  const mediaType = showableMediaType(path);
  const found = await stat(path).catch(() => undefined);
  if (mediaType === undefined || !found || found.size > room) return undefined;
  // The model is trained: a page about it is nothing to lose it for.
  const data = await readFile(path).catch(() => undefined);
  return data && { bytes: data.length, text: pictureSource(mediaType, data) };
}

function classTable(classes: readonly LostImages[]): Html {
  const numbers = ['Images', 'Right in production', 'Right now', 'Became wrong', 'Became right'];
  return html`<section aria-labelledby="classes">
<h2 id="classes">Classes</h2>
<div class="panel">
<table>
<thead><tr><th scope="col">Class</th>${numbers.map((name) => html`<th class="number" scope="col">${name}</th>`)}<th scope="col"></th></tr></thead>
<tbody>
${classes.map((entry, index) => {
  const { label, images, production, candidate, lost, gained } = entry;
  const figures = [images, production, candidate, lost, gained];
  return html`<tr><th scope="row"><a href="#class-${index + 1}"><bdi>${breakable(label)}</bdi></a></th>${figures.map((figure) => html`<td class="number">${number(figure)}</td>`)}<td>${wordsOf(entry)}</td></tr>
`;
})}</tbody>
</table>
</div>
</section>`;
}

function classSection({ label, lost, pictures, others }: LostImages, index: number): Html {
  return html`<section class="class" aria-labelledby="class-${index + 1}">
<header><h3 id="class-${index + 1}"><bdi>${breakable(label)}</bdi></h3><p class="soft">${imageCount(lost)}, now taken for the class on the label</p></header>
<ul class="images">
${pictures.map(({ image, source }) => figure(image, source))}</ul>
${others.length === 0 ? '' : withoutPicture(others)}</section>
`;
}

function figure({ path, label, candidate }: ComparedImage, source: string): Html {
  const name = nameOf(path);
  return html`<li><figure><img alt="${label}, taken for ${candidate}: ${name}" src="${source}"><figcaption><span class="split test">${candidate}</span><bdi>${breakable(name)}</bdi></figcaption></figure></li>
`;
}

function withoutPicture(images: readonly ComparedImage[]): Html {
  const shown = images.slice(0, MAX_NAMES);
  const more = images.length - shown.length;
  return html`<p class="soft">Without a picture here, because browsers can’t show such files, or there is no room:</p>
<ul>
${shown.map(({ path, candidate }) => html`<li><bdi>${breakable(nameOf(path))}</bdi>: ${candidate}</li>\n`)}${more === 0 ? '' : html`<li>and ${number(more)} more</li>\n`}</ul>
`;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
