import { type Html, html } from '../dataset/html.ts';
import { REPORT_STYLE } from '../dataset/report-style.ts';
import { percent } from '../model/format-figure.ts';
import { gpuUseText } from './gpu-use.ts';
import type { VersionFacts } from './version-facts.ts';
import { historyOf, type InProduction, type Stay, type VersionHistory } from './version-history.ts';
import { dayText } from './version-text.ts';
import { macroF1Chart } from './versions-chart.ts';
import { recallDetails, recallTable } from './versions-classes.ts';
import { VERSIONS_STYLE } from './versions-style.ts';

/** By this, a page of ours is known: one that somebody else has written is not replaced. */
export const PAGE_MARK = '<meta name="generator" content="diatom-actions publish-model">';

export interface PageData {
  readonly modelName: string;
  readonly versions: readonly VersionFacts[];
  /** `undefined` when nothing is in production. */
  readonly production: InProduction | undefined;
  /** Names of older versions that were not read. */
  readonly unread: readonly string[];
}

/**
 * All versions of a model as one HTML page: no script, no network, equal bytes for equal data. Its content security policy
 * lets it load nothing, whatever a name in it may hold.
 */
export function versionsHtml({ modelName, versions, production, unread }: PageData): string {
  const isVersion = versions.filter((version) => version.isVersion);
  const history = historyOf(isVersion, production);
  const others = versions.filter((version) => !version.isVersion).map(({ name }) => name);
  const page = html`<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
${{ markup: PAGE_MARK }}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${modelName}: all versions</title>
<style>${{ markup: REPORT_STYLE + VERSIONS_STYLE }}</style>
</head>
<body>
<main>
<header>
<h1>${modelName}: all versions</h1>
<p class="lead">${leadOf(history, production)}</p>
${figures(history)}
<p class="soft jump"><a href="#versions">Versions</a> · <a href="#classes">Recall of each class</a></p>
</header>
<section>
<h2>Macro-F1</h2>
${macroF1Chart(history)}
</section>
<section>
<h2 id="versions">Versions</h2>
${versionsTable(history)}
${noteOf('Older versions, not read for this page', unread)}${noteOf('Folders that are not versions', others)}
</section>
${recallTable(history)}
</main>
</body>
</html>
`;
  return page.markup;
}

function leadOf(history: readonly VersionHistory[], production: InProduction | undefined): string {
  if (!production) return 'Nothing is in production.';
  const current = history.find(({ isInProduction }) => isInProduction);
  const since = current?.stays.at(-1)?.from ?? production.since;
  const name = production.version ?? 'a model that is not a version';
  return `In production is ${name}${since ? `, since ${dayText(since)}` : ''}.`;
}

function figures(history: readonly VersionHistory[]): Html {
  const current = history.find(({ isInProduction }) => isInProduction);
  const refused = history.filter(({ record }) => record?.judged?.passed === false).length;
  const used = history.filter(({ stays }) => stays.length > 0).length;
  return html`<dl class="figures">
<div><dt>Versions</dt><dd>${history.length}</dd></div>
<div><dt>Were in production</dt><dd>${used}</dd></div>
<div><dt>Refused</dt><dd>${refused}</dd></div>
<div class="test"><dt>Macro-F1 in production</dt><dd>${percent(current?.metrics?.macroF1)}</dd></div>
<div class="wide"><dt>Data set in production</dt><dd class="code">${current?.dataset ?? '–'}</dd></div>
</dl>`;
}

function versionsTable(history: readonly VersionHistory[]): Html {
  if (history.length === 0) return html`<p class="soft">There are none.</p>`;
  const rows = history.toReversed().map((version) => {
    const { name, stored, dataset, metrics } = version;
    const [low, high] = metrics?.macroF1Interval ?? [];
    const interval = high === undefined ? html`` : html`<p class="soft">${percent(low)} to ${percent(high)}</p>`;
    const images = metrics?.images === undefined ? html`` : html`<p class="soft">on ${metrics.images} test images</p>`;
    const use = version.record?.gpu;
    const gpu = use === undefined ? html`` : html`<p class="soft">GPU servers: ${gpuUseText(use)}</p>`;
    const details = recallDetails(version);
    return html`<tbody><tr>
<th scope="row" class="name">${stored ? dayText(stored) : 'Date unknown'}<span class="hash code">${name}</span></th>
<td class="set code">${dataset ?? '–'}${gpu}</td>
<td class="score">${percent(metrics?.macroF1)}${interval}${images}</td>
<td>${fateOf(version)}</td>
</tr>${details.markup === '' ? details : html`<tr class="more"><td colspan="4">${details}</td></tr>`}</tbody>
`;
  });
  return html`<div class="panel"><table class="versions">
<thead><tr><th scope="col">Version</th><th scope="col">Data set</th><th scope="col">Macro-F1, and its interval</th><th scope="col">What became of it</th></tr></thead>
${rows}</table></div>`;
}

function fateOf({ record, stays, isInProduction, faults }: VersionHistory): Html {
  const judged = record?.judged;
  const badges = [
    ...(isInProduction ? [badge('now', 'In production')] : stays.length > 0 ? [badge('was', 'Was in production')] : []),
    ...(judged?.passed === false ? [badge('refused', 'Refused')] : []),
    ...(stays.length === 0 && judged?.passed ? [badge('other', 'Passed, not promoted')] : []),
    ...(stays.length === 0 && !judged ? [badge('other', 'Not written down')] : []),
  ];
  const times = stays.map((stay, index) => {
    const goesOn = isInProduction && index === stays.length - 1;
    return html`<p>${stayText(stay, goesOn)}</p>`;
  });
  const compared = (judged?.compared ?? [])
    .filter((sentence) => !judged?.reasons.includes(sentence))
    .map((sentence) => html`<p class="soft">${sentence}</p>`);
  const reasons = [
    ...(judged?.reasons ?? []),
    ...faults.map((fault) => `The version can’t be read whole: ${fault}`),
  ].map((reason) => html`<li>${reason}</li>`);
  return html`${badges}${times}${reasons.length > 0 ? html`<ul>${reasons}</ul>` : html``}${compared}`;
}

function badge(kind: 'now' | 'was' | 'refused' | 'other', text: string): Html {
  return html`<span class="badge ${kind}">${text}</span> `;
}

function stayText({ from, until, byPerson }: Stay, goesOn: boolean): string {
  const begin = from ? dayText(from) : 'a day that is not known';
  const time = until ? `${begin} to ${dayText(until)}` : `${goesOn ? 'since' : 'from'} ${begin}`;
  return byPerson ? `${time}, by a person’s decision` : time;
}

function noteOf(what: string, names: readonly string[]): Html {
  return names.length === 0 ? html`` : html`<p class="soft">${what}: ${names.join(', ')}.</p>`;
}
