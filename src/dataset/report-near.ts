import { type Html, html } from './html.ts';
import { images, number } from './html-page.ts';
import { figure } from './report-gallery.ts';
import type { ReportNear } from './report-types.ts';

/** Both pictures of each pair, side by side. */
export function nearDuplicates(near: ReportNear | undefined): Html {
  if (!near) return html``;
  const { count, unseen, pairs } = near;
  const found =
    count === 0
      ? 'No test image looks like a training image.'
      : `${images(count)} of test ${count === 1 ? 'looks' : 'look'} like one of train: saved again, scaled, brightened, turned or mirrored. A model may know the answer. ${pairs.length < count ? `The nearest ${number(pairs.length)} are shown; ` : ''}near-duplicates.csv lists ${count === 1 ? 'it' : 'all'}. Two specimens can look alike, too: look at the pictures.`;
  const rest =
    unseen === 0
      ? ''
      : ` ${images(unseen)} could not be compared: without contrast, or in a format that is not decoded here.`;
  const list = html`<ul class="pairs">
${pairs.map(
  ({ test, train, distance }) =>
    html`<li><p class="soft">${distance === 0 ? 'no difference is seen' : `difference ${distance} of 255`}${test.label === train.label ? '' : ', under two labels'}</p><ul class="images">
${figure(train, train.label)}${figure(test, test.label)}</ul></li>
`,
)}</ul>
`;
  return html`<section aria-labelledby="near">
<h2 id="near">Near-duplicates across train and test</h2>
<p class="soft">${found}${rest}</p>
${pairs.length === 0 ? html`` : list}</section>`;
}
