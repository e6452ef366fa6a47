import { type Html, html } from './html.ts';
import { breakable, images, pictureSource } from './html-page.ts';
import type { ReportClass, ReportPicture } from './report-types.ts';

/** A few images of each class, those of train beside those of test. */
export function gallery(classes: readonly ReportClass[]): Html {
  if (classes.length === 0) return html``;
  return html`<section aria-labelledby="gallery">
<h2 id="gallery">A few images of each class</h2>
<p class="soft">Small pictures; a click opens the image itself where the report lies beside train and test. Images with more than 8 bits are shown from their darkest to their brightest value.</p>
${classes.map(
  (entry, index) => html`<section class="class" aria-labelledby="class-${index + 1}">
<header><h3 id="class-${index + 1}"><bdi>${breakable(entry.label)}</bdi></h3><p class="soft">${note(entry)}</p></header>
<div class="sides">
${side(entry, 'train')}${side(entry, 'test')}</div>
</section>
`,
)}</section>`;
}

function note({ train, test, samples }: ReportClass): string {
  if (samples.length === 0) return `${images(train + test)}, none of them shown here`;
  return samples.length === train + test ? 'all images' : `${samples.length} of ${images(train + test)}`;
}

function side({ samples }: ReportClass, split: ReportPicture['split']): Html {
  const own = samples.filter((sample) => sample.split === split);
  if (own.length === 0) return html``;
  return html`<ul class="images" aria-label="${split}">
${own.map((sample) => figure(sample))}</ul>
`;
}

/** @param shownLabel stands in the caption where the pictures around it are not of one class */
export function figure({ label, fileName, split, picture }: ReportPicture, shownLabel = ''): Html {
  const path = [split, label, fileName].map(encodeURIComponent).join('/');
  const shown =
    'data' in picture
      ? html`<img alt="${label}, ${split} image ${fileName}" src="${pictureSource(picture.mediaType, picture.data)}">`
      : html`<span class="not-shown">not shown: ${picture.notShown}</span>`;
  return html`<li><figure><a href="${path}">${shown}</a><figcaption><span class="split ${split}">${split}</span>${shownLabel === '' ? html`` : html`<bdi class="label">${breakable(shownLabel)}</bdi>`}<bdi>${breakable(fileName)}</bdi></figcaption></figure></li>
`;
}
