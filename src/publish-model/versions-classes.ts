import { type Html, html } from '../dataset/html.ts';
import { percent } from '../model/format-figure.ts';
import type { VersionHistory } from './version-history.ts';

const [WIDTH, HEIGHT, EDGE] = [240, 28, 4];

/** Recall of every class that any version has or had, from version to version. */
export function recallTable(versions: readonly VersionHistory[]): Html {
  const measured = versions.filter(({ metrics }) => metrics !== undefined);
  const labels = labelsOf(measured);
  if (labels.length === 0) return html``;
  const newest = measured.at(-1);
  const current = measured.find(({ isInProduction }) => isInProduction);
  const rows = labels.map((label) => {
    const recalls = measured.map((version) => recallOf(version, label));
    const [now, then] = [newest && recallOf(newest, label), current && recallOf(current, label)];
    const fell = now !== undefined && then !== undefined && now < then;
    const figures = newest?.metrics?.classes;
    const support = figures && Object.hasOwn(figures, label) ? (figures[label]?.support ?? '–') : '–';
    return html`<tr><th scope="row">${label}</th><td class="line">${sparkline(recalls, label)}</td>
<td class="number">${percent(then)}</td><td class="number${fell ? ' fell' : ''}">${fell ? '▼ ' : ''}${percent(now)}</td><td class="number">${support}</td></tr>
`;
  });
  return html`<section>
<h2 id="classes">Recall of each class</h2>
<p>How many of a class’s own test images are recognised. The lines go from 0 to 100 %, oldest version left. ▼ marks a class in which the newest version is below production, each on its own test images.</p>
<div class="panel"><table class="classes">
<thead><tr><th scope="col">Class</th><th scope="col">All versions</th><th scope="col" class="number">In production</th><th scope="col" class="number">Newest</th><th scope="col" class="number">Test images</th></tr></thead>
<tbody>
${rows}</tbody>
</table></div>
</section>`;
}

/** The recalls of one version, to be opened. */
export function recallDetails({ metrics }: VersionHistory): Html {
  const classes = Object.entries(metrics?.classes ?? {});
  if (classes.length === 0) return html``;
  const items = classes.map(
    ([label, { recall }]) => html`<li><span>${label}</span> <span>${percent(recall)}</span></li>
`,
  );
  const what = classes.length === 1 ? 'one class' : `${classes.length} classes`;
  return html`<details><summary>Recall of ${what}</summary><ul class="recalls">
${items}</ul></details>`;
}

function labelsOf(versions: readonly VersionHistory[]): string[] {
  const labels = new Set(versions.flatMap(({ metrics }) => Object.keys(metrics?.classes ?? {})));
  return [...labels].sort((a, b) => a.localeCompare(b, 'en'));
}

function recallOf({ metrics }: VersionHistory, label: string): number | undefined {
  if (!metrics || !Object.hasOwn(metrics.classes, label)) return undefined;
  return metrics.classes[label]?.recall ?? undefined;
}

/** A line for each run of versions that know the class; a dot for the last, so that a single one is seen too. */
function sparkline(recalls: readonly (number | undefined)[], label: string): Html {
  const step = (WIDTH - 2 * EDGE) / Math.max(1, recalls.length - 1);
  const points = recalls.map((recall, index) =>
    recall === undefined
      ? undefined
      : {
          x: Math.round(10 * (EDGE + step * index)) / 10,
          y: Math.round(10 * (EDGE + (1 - recall) * (HEIGHT - 2 * EDGE))) / 10,
        },
  );
  const path = points
    .map((point, index) => (point ? `${points[index - 1] ? 'L' : 'M'}${point.x} ${point.y}` : ''))
    .join('');
  const lone = points.filter((point, index) => point && !points[index - 1] && !points[index + 1]);
  const last = points.findLast((point) => point !== undefined);
  const dots = [...new Set([...lone, last])].flatMap((point) =>
    point ? [html`<circle class="dot" cx="${point.x}" cy="${point.y}" r="2.6"/>`] : [],
  );
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Recall of ${label} over ${recalls.length} versions"><line class="edge" x1="0" x2="${WIDTH}" y1="${EDGE}" y2="${EDGE}"/><line class="edge" x1="0" x2="${WIDTH}" y1="${HEIGHT - EDGE}" y2="${HEIGHT - EDGE}"/><path class="path" d="${path}"/>${dots}</svg>`;
}
