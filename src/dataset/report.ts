import { CHANGES } from './changes.ts';
import { type Html, html } from './html.ts';
import { breakable, htmlPage, images, number } from './html-page.ts';
import { gallery } from './report-gallery.ts';
import { nearDuplicates } from './report-near.ts';
import { REPORT_SCRIPT } from './report-script.ts';
import type { ReportClass, ReportData } from './report-types.ts';

/**
 * The report on a data set as one HTML page: no network, pictures embedded, equal bytes for equal data. The
 * page's content security policy lets it load nothing, whatever a file name in it may hold.
 */
export function reportHtml(report: ReportData): string {
  const train = sum(report.classes.map((entry) => entry.train));
  const test = sum(report.classes.map((entry) => entry.test));
  return htmlPage(
    `Diatom data set: ${images(train + test)} in ${classes(report.classes.length)}`,
    html`<header>
<h1>Diatom data set</h1>
<p class="lead">${summarySentence(report, train, test)}</p>
<dl class="figures">
<div><dt>Images</dt><dd>${number(train + test)}</dd></div>
<div><dt>Classes</dt><dd>${number(report.classes.length)}</dd></div>
<div class="train"><dt>Train</dt><dd>${number(train)}</dd></div>
<div class="test"><dt>Test</dt><dd>${number(test)}</dd></div>
<div class="wide"><dt>Seed</dt><dd class="code">${report.seed}</dd></div>
</dl>
</header>
${warnings(report)}
${balance(report, train, test)}
${changes(report)}
${sizes(report)}
${nearDuplicates(report.near)}
${gallery(report.classes)}
${leftOut(report)}
${sources(report)}
${options(report)}`,
    REPORT_SCRIPT,
  );
}

function summarySentence(report: ReportData, train: number, test: number): string {
  const share = train + test === 0 ? 0 : Math.round((100 * test) / (train + test));
  const count = new Set(report.sources.map(({ fileName }) => fileName)).size;
  const zips = count === 1 ? 'one zip' : `${number(count)} zips`;
  return `From ${zips}. A model learns from the train images; the test images, ${share} % of all, are kept aside to judge it.`;
}

function warnings({ warnings: sentences }: ReportData): Html {
  if (sentences.length === 0) return html``;
  return html`<section class="alert" aria-labelledby="warnings">
<h2 id="warnings">${sentences.length === 1 ? 'One thing to look at' : `${sentences.length} things to look at`}</h2>
<ul>
${sentences.map((sentence) => html`<li>${sentence}</li>\n`)}</ul>
</section>`;
}

/** A table with a bar in each row: it wraps long names, prints across pages and reads well aloud, as no single plot does. */
function balance({ classes: entries }: ReportData, train: number, test: number): Html {
  const totals = entries.map((entry) => entry.train + entry.test);
  const largest = Math.max(1, ...totals);
  const smallest = Math.min(largest, ...totals);
  const range =
    entries.length < 2
      ? ''
      : smallest === largest
        ? `Every class has ${images(largest)}.`
        : `The largest class has ${images(largest)}, the smallest ${number(smallest)}.`;
  const isGrouped = entries.some(({ groups }) => groups !== undefined);
  return html`<section aria-labelledby="balance">
<h2 id="balance">Class balance</h2>
<p class="soft">${range}</p>
<p class="tools" id="tools" hidden><input type="search" id="find" placeholder="Find a class" aria-label="Find a class"> <select id="sort" aria-label="Order of the classes"><option value="name">by name</option><option value="rare">fewest images first</option><option value="common">most images first</option></select> <span class="soft" id="found" role="status"></span></p>
<div class="panel">
<table class="balance stack" id="classes">
<thead>
<tr><th scope="col">Class</th><th class="bar across" scope="col">${legend('in-train', 'train')} &ensp; ${legend('in-test', 'test')}</th><th class="number" scope="col">Train</th><th class="number" scope="col">Test</th><th class="number" scope="col">All</th>${isGrouped ? html`<th class="number" scope="col">Groups</th>` : html``}</tr>
</thead>
<tbody>
${entries.map(
  (entry, index) =>
    html`<tr data-images="${entry.train + entry.test}"><th scope="row"><a href="#class-${index + 1}"><bdi>${breakable(entry.label)}</bdi></a></th><td class="bar across">${bar(entry, largest)}</td>${countCells(entry.train, entry.test)}${groupCell(entry.groups)}</tr>\n`,
)}</tbody>
<tfoot>
<tr><th scope="row">All</th><td class="bar across"></td>${countCells(train, test)}${isGrouped ? html`<td></td>` : html``}</tr>
</tfoot>
</table>
</div>
</section>`;
}

function changes({ changes: entries }: ReportData): Html {
  if (!entries) return html``;
  const table = html`<div class="panel">
<table class="stack">
<thead><tr><th scope="col">Class</th>${CHANGES.map(({ name }) => html`<th class="number" scope="col">${name}</th>`)}</tr></thead>
<tbody>
${entries.map(
  (entry) =>
    html`<tr><th scope="row"><bdi>${breakable(entry.label)}</bdi></th>${CHANGES.map(({ change, name }) => html`<td class="number" data-name="${name}">${number(entry[change])}</td>`)}</tr>\n`,
)}</tbody>
</table>
</div>`;
  return html`<section aria-labelledby="changes">
<h2 id="changes">What has changed</h2>
<p class="soft">${entries.length === 0 ? 'The same images in the same classes, on the same sides, as in the data set before.' : 'Images of each class against the data set before; changes.csv lists them.'}</p>
${entries.length === 0 ? html`` : table}
</section>`;
}

function countCells(train: number, test: number): Html {
  return html`<td class="number" data-name="Train">${number(train)}</td><td class="number" data-name="Test">${number(test)}</td><td class="number" data-name="All">${number(train + test)}</td>`;
}

/** Images that are kept together count as one find of a species. */
function groupCell(groups: number | undefined): Html {
  return groups === undefined ? html`` : html`<td class="number" data-name="Groups">${number(groups)}</td>`;
}

function sizes({ sizes: bins }: ReportData): Html {
  if (bins.length === 0) return html``;
  const largest = Math.max(...bins.map(({ count }) => count));
  return html`<section aria-labelledby="sizes">
<h2 id="sizes">Sizes of the images</h2>
<p class="soft">By their longer side, in pixels.</p>
<div class="panel">
<table class="balance stack">
<thead><tr><th scope="col">Pixels</th><th class="bar across" scope="col"></th><th class="number" scope="col">Images</th></tr></thead>
<tbody>
${bins.map(
  ({ name, count }) =>
    html`<tr><th scope="row">${name}</th><td class="bar across"><svg aria-hidden="true"><rect class="in-all" width="${percent(count, largest)}%" height="100%"/></svg></td><td class="number" data-name="Images">${number(count)}</td></tr>\n`,
)}</tbody>
</table>
</div>
</section>`;
}

function legend(className: string, name: string): Html {
  return html`<span class="legend"><svg aria-hidden="true" viewBox="0 0 8 8"><rect class="${className}" width="8" height="8" rx="2"/></svg>${name}</span>`;
}

function bar({ train, test, label }: ReportClass, largest: number): Html {
  const inTrain = percent(train, largest);
  return html`<svg role="img" aria-label="${label}: ${number(train)} train, ${number(test)} test"><rect class="in-train" width="${inTrain}%" height="100%"/><rect class="in-test" x="${inTrain}%" width="${percent(test, largest)}%" height="100%"/></svg>`;
}

function leftOut({ leftOut: reasons }: ReportData): Html {
  if (reasons.length === 0) return html``;
  return html`<section aria-labelledby="left-out">
<h2 id="left-out">Left out</h2>
<p class="soft">What the zips hold and the data set doesn’t.</p>
<div class="panel">
<table>
<thead><tr><th scope="col">Why</th><th class="number" scope="col">Files</th><th scope="col">For example</th></tr></thead>
<tbody>
${reasons.map(
  ({ reason, count, examples }) =>
    html`<tr><th scope="row">${reason}</th><td class="number">${number(count)}</td><td>${examples.map((example) => html`<bdi class="hash code">${example}</bdi>`)}</td></tr>\n`,
)}</tbody>
</table>
</div>
</section>`;
}

function sources({ sources: zips }: ReportData): Html {
  if (zips.length === 0) return html``;
  return html`<section aria-labelledby="sources">
<h2 id="sources">Where the images come from</h2>
<p class="soft">Each zip with its SHA-256, so that a model can be traced to the files it learnt from.</p>
<div class="panel">
<table class="stack">
<thead><tr><th scope="col">Zip</th><th scope="col">Class</th><th class="number" scope="col">Images</th><th class="number" scope="col">Test</th></tr></thead>
<tbody>
${zips.map(
  (zip, index) =>
    html`<tr><th scope="row"><bdi>${breakable(zip.fileName)}</bdi>${zips[index - 1]?.fileName === zip.fileName ? '' : html`<span class="hash code">${zip.sha256}</span>`}</th><td class="across"><bdi>${breakable(zip.label)}</bdi></td><td class="number" data-name="Images">${number(zip.images)}</td><td class="number" data-name="Test">${number(zip.test)}</td></tr>\n`,
)}</tbody>
</table>
</div>
</section>`;
}

function options({ options: entries, changes: before }: ReportData): Html {
  if (entries.length === 0) return html``;
  return html`<section aria-labelledby="options">
<h2 id="options">How it was made</h2>
<p class="soft">The same zips with these options and this seed give the same data set again${before ? ', after the same data set before' : ''}.</p>
<div class="panel">
<dl class="options">
${entries.map(({ label, value }) => html`<div><dt>${label}</dt><dd>${value}</dd></div>\n`)}</dl>
</div>
</section>`;
}

function classes(count: number): string {
  return count === 1 ? '1 class' : `${number(count)} classes`;
}

/** A share of the widest bar with two decimals, so that the same page comes out everywhere. */
function percent(part: number, whole: number): string {
  return ((100 * part) / whole).toFixed(2);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, value) => total + value, 0);
}
