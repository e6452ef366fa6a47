/**
 * The style sheet of the report. Colours: the golden brown of diatoms for train, the teal of deep water for test; they
 * differ in lightness as well, so that they stay apart in grey print and for colour-blind readers.
 */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --page: #faf8f4; --card: #ffffff; --ink: #1f2421; --soft: #5c655f; --line: #e3ded3; --plate: #efece4;
  --train: #d69a3c; --test: #0d6e6e; --on-test: #ffffff; --on-train: #2b1d05; --alert: #9a3412; --alert-bg: #fff4e8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131816; --card: #1b221f; --ink: #e8ece8; --soft: #a0aca5; --line: #2e3834; --plate: #252e2a;
    --train: #b98532; --test: #63cfc6; --on-test: #06201e; --on-train: #1d1403; --alert: #fdba74; --alert-bg: #2d2015;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
}
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: clamp(1.7rem, 1.2rem + 2.2vw, 2.5rem); letter-spacing: -.02em; margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; letter-spacing: -.01em; margin: 3.2rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 0; }
p { margin: .3rem 0 1rem; max-width: 46rem; }
.lead { color: var(--soft); font-size: 1.1rem; }
.soft { color: var(--soft); }
code, .code { font-family: ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, monospace; font-size: .86em; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: .2em; }
a:hover { text-decoration-color: currentColor; }

.figures { display: grid; grid-template-columns: repeat(4, 1fr) minmax(9rem, 1.7fr); gap: .75rem; margin: 1.75rem 0 0; }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: .8rem 1rem .9rem; }
.figures .train { border-top: .25rem solid var(--train); padding-top: .6rem; }
.figures .test { border-top: .25rem solid var(--test); padding-top: .6rem; }
.figures dt { color: var(--soft); font-size: .85rem; }
.figures dd { margin: 0; font-size: 1.6rem; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; }
.figures dd.code { font-size: .95rem; font-weight: 500; line-height: 1.4; padding-top: .2rem; overflow-wrap: anywhere; }

.alert { background: var(--alert-bg); border-left: .25rem solid var(--alert); border-radius: .5rem; padding: .9rem 1.1rem; margin: 1.5rem 0 0; }
.alert h2 { margin: 0 0 .3rem; font-size: 1rem; color: var(--alert); letter-spacing: 0; }
.alert ul { margin: 0; padding-left: 1.15rem; }
.alert li { overflow-wrap: anywhere; }

.panel { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: .4rem 1.1rem; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .5rem 1rem .5rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-top: 0; color: var(--soft); font-size: .85rem; font-weight: 500; vertical-align: bottom; overflow-wrap: normal; }
tbody th { font-weight: 500; }
tfoot th, tfoot td { border-top-width: 2px; font-weight: 650; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; width: 1%; }
.hash { display: block; color: var(--soft); font-size: .75rem; font-weight: 400; }

.legend { display: inline-flex; align-items: center; gap: .4rem; }
.legend svg { width: .8rem; height: .8rem; }
.balance th[scope=row], .balance .bar { vertical-align: middle; }
.balance td { vertical-align: middle; }
.balance thead th, .balance tbody th { padding-top: .35rem; padding-bottom: .35rem; }
.balance .bar { width: 48%; padding-top: .25rem; padding-bottom: .25rem; }
.balance tbody th { max-width: 20rem; line-height: 1.3; }
td.bar svg { display: block; width: 100%; height: 1.15rem; }
.in-train { fill: var(--train); }
.in-test { fill: var(--test); }
.in-all { fill: var(--soft); }

.class { margin: 1.6rem 0 0; }
.class header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem .8rem; margin-bottom: .6rem; }
.class header p { margin: 0; font-size: .9rem; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1.25rem; }
.images { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .6rem; align-content: start; list-style: none; margin: 0; padding: 0; }
figcaption .label { color: var(--ink); font-weight: 600; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem 1.25rem; list-style: none; margin: 0; padding: 0; }
.pairs p { margin: 0 0 .3rem; font-size: .85rem; }
.pairs .images { grid-template-columns: 1fr 1fr; }
figure a { display: block; text-decoration: none; }
.not-shown { display: flex; align-items: center; justify-content: center; height: 8rem; padding: .5rem; background: var(--plate); color: var(--soft); font-size: .75rem; text-align: center; overflow-wrap: anywhere; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: center; }
.tools[hidden] { display: none; }
.tools input, .tools select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .35rem .6rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; height: 100%; }
figure img { display: block; width: 100%; height: 8rem; object-fit: contain; background: var(--plate); padding: .5rem; }
figcaption { display: flex; flex-direction: column; gap: .25rem; align-items: flex-start; padding: .45rem .6rem .55rem; font-size: .75rem; line-height: 1.35; }
figcaption bdi { color: var(--soft); overflow-wrap: anywhere; min-width: 0; }
.split { flex: none; border-radius: .3rem; padding: 0 .4rem; font-weight: 600; }
.split.train { background: var(--train); color: var(--on-train); }
.split.test { background: var(--test); color: var(--on-test); }

.options { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; margin: 0; }
.options > div { display: grid; grid-template-columns: subgrid; grid-column: 1 / -1; gap: 0 1.5rem; padding: .5rem 0; border-top: 1px solid var(--line); }
.options > div:first-child { border-top: 0; }
.options dt { color: var(--soft); }
.options dd { margin: 0; overflow-wrap: anywhere; }

@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; }
  .panel { padding: .2rem .8rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  .figures .wide { grid-column: 1 / -1; }
  .stack, .stack thead, .stack tbody, .stack tfoot { display: block; }
  .stack thead th:not(.bar) { display: none; }
  .stack tr { display: grid; grid-template-columns: repeat(3, auto) 1fr; gap: 0 .9rem; padding: .55rem 0; border-top: 1px solid var(--line); }
  .stack thead tr { border-top: 0; padding: 0; }
  .stack tfoot tr { border-top-width: 2px; }
  .stack tr > th, .stack tr > td { border: 0; padding: 0; max-width: none; width: auto; }
  .stack tr > th, .stack tr > .across { grid-column: 1 / -1; }
  .stack tr > .bar { padding: .25rem 0 .15rem; width: auto; }
  .stack tfoot tr > .bar { display: none; }
  .stack tr > .number { text-align: left; font-size: .85rem; color: var(--soft); }
  .stack tr > .number::before { content: attr(data-name) " "; }
  .sides { grid-template-columns: 1fr; }
  .options > div { display: block; }
  .options { display: block; }
}
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --plate: #f3f3f3; --train: #d69a3c; --test: #0d6e6e; --on-test: #fff; --on-train: #000; --alert: #9a3412; --alert-bg: #fff; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2, .class header { break-after: avoid; }
  tr, figure, .pairs > li, .alert, .figures div { break-inside: avoid; }
  .images { gap: .4rem; }
  figure img, .not-shown { height: 4rem; padding: .25rem; }
  .tools { display: none; }
  figcaption { padding: .25rem .35rem; font-size: .6rem; }
}
`;
