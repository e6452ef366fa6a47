import { type Html, html } from '../dataset/html.ts';
import { percent, withInterval } from '../model/format-figure.ts';
import type { VersionHistory } from './version-history.ts';
import { dayText } from './version-text.ts';

const [WIDTH, HEIGHT] = [960, 300];
const PLOT = { left: 52, right: WIDTH - 20, top: 14, bottom: HEIGHT - 34 };
/** More dates than these would run into each other. */
const MAX_DATES = 8;

interface Point {
  readonly version: VersionHistory;
  readonly x: number;
  readonly macroF1: number;
  readonly interval: readonly [number, number] | undefined;
}

/** Macro-F1 from version to version as a picture, oldest left. */
export function macroF1Chart(versions: readonly VersionHistory[]): Html {
  const measured = versions.filter(({ metrics }) => metrics !== undefined);
  const step = (PLOT.right - PLOT.left) / Math.max(1, measured.length);
  const points = measured.flatMap((version, index): Point[] => {
    const { metrics } = version;
    if (!metrics) return [];
    const { macroF1, macroF1Interval: interval } = metrics;
    return [{ version, x: PLOT.left + step * (index + 0.5), macroF1, interval }];
  });
  if (points.length === 0) return html`<p class="soft">No version has figures that can be read.</p>`;
  const lowest = Math.min(...points.map(({ macroF1, interval }) => interval?.[0] ?? macroF1));
  const floor = Math.min(0.8, Math.floor(lowest * 10) / 10);
  const y = (share: number) => PLOT.bottom - ((share - floor) / (1 - floor)) * (PLOT.bottom - PLOT.top);
  const used = points.filter(({ version }) => version.stays.length > 0);
  const label = `Macro-F1 of ${points.length} versions, from ${percent(points[0]?.macroF1)} to ${percent(points.at(-1)?.macroF1)}`;
  return html`<div class="panel"><svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
${grid(floor, y)}
${dates(points)}
<polyline class="path" points="${used.map(({ x, macroF1 }) => `${round(x)},${round(y(macroF1))}`).join(' ')}"/>
${points.map((point) => mark(point, y, Math.min(5.5, Math.max(2.6, step / 3))))}
</svg>
${KEYS}</div>`;
}

function grid(floor: number, y: (share: number) => number): Html[] {
  const steps = Math.round((1 - floor) * 10);
  const every = steps > 5 ? 2 : 1;
  return Array.from({ length: Math.floor(steps / every) + 1 }, (_, index) => {
    const share = 1 - (index * every) / 10;
    const at = round(y(share));
    return html`<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${at}" y2="${at}"/><text x="${PLOT.left - 8}" y="${at + 4}" text-anchor="end">${Math.round(100 * share)} %</text>`;
  });
}

function dates(points: readonly Point[]): Html[] {
  const every = Math.ceil(points.length / MAX_DATES);
  return points.flatMap(({ x, version }, index) =>
    index % every === 0 && version.stored
      ? [html`<text x="${round(x)}" y="${HEIGHT - 10}" text-anchor="middle">${dayText(version.stored)}</text>`]
      : [],
  );
}

/** A version that was used is a full dot, one that was refused a cross, any other a hollow dot: not told by colour alone. */
function mark({ version, x, macroF1, interval }: Point, y: (share: number) => number, size: number): Html {
  const [cx, cy] = [round(x), round(y(macroF1))];
  const shape =
    version.stays.length > 0
      ? html`<circle class="used" cx="${cx}" cy="${cy}" r="${round(size)}"/>`
      : version.record?.judged?.passed === false
        ? html`<path class="cross" d="M${round(cx - size)} ${round(cy - size)}L${round(cx + size)} ${round(cy + size)}M${round(cx - size)} ${round(cy + size)}L${round(cx + size)} ${round(cy - size)}"/>`
        : html`<circle class="unused" cx="${cx}" cy="${cy}" r="${round(size)}"/>`;
  const ring = version.isInProduction
    ? html`<circle class="ring" cx="${cx}" cy="${cy}" r="${round(size + 4)}"/>`
    : NOTHING;
  const bar = interval
    ? html`<line class="interval" x1="${cx}" x2="${cx}" y1="${round(y(interval[0]))}" y2="${round(y(interval[1]))}"/>`
    : NOTHING;
  return html`<g><title>${version.name}: ${withInterval(macroF1, interval)}</title>${bar}${shape}${ring}</g>
`;
}

const NOTHING = html``;

const KEYS = html`<ul class="keys">
<li><svg viewBox="0 0 16 16"><circle class="ring" cx="8" cy="8" r="7"/><circle class="used" cx="8" cy="8" r="3.5"/></svg>in production</li>
<li><svg viewBox="0 0 16 16"><circle class="used" cx="8" cy="8" r="4.5"/></svg>was in production</li>
<li><svg viewBox="0 0 16 16"><path class="cross" d="M3 3L13 13M3 13L13 3"/></svg>refused</li>
<li><svg viewBox="0 0 16 16"><circle class="unused" cx="8" cy="8" r="4.5"/></svg>neither</li>
<li>The bars are the confidence intervals, each on the version’s own test images.</li>
</ul>`;

function round(number: number): number {
  return Math.round(10 * number) / 10;
}
