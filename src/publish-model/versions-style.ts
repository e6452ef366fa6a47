/** What the page of all versions has beside the style sheet of the report on a data set. */
export const VERSIONS_STYLE = `
.panel { overflow-x: auto; }
.badge { display: inline-block; border-radius: .3rem; padding: 0 .45rem; font-size: .8rem; font-weight: 600; white-space: nowrap; }
.badge.now { background: var(--test); color: var(--on-test); }
.badge.was { border: 1px solid var(--test); }
.badge.refused { background: var(--alert-bg); color: var(--alert); border: 1px solid var(--alert); }
.badge.other { border: 1px solid var(--line); color: var(--soft); }
.chart { display: block; width: 100%; min-width: 38rem; height: auto; }
.chart text { fill: var(--soft); font-size: 13px; }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .interval { stroke: var(--soft); stroke-width: 1.5; opacity: .55; }
.chart .path { fill: none; stroke: var(--test); stroke-width: 2; }
.chart .used { fill: var(--test); stroke: var(--test); stroke-width: 2; }
.chart .unused { fill: var(--card); stroke: var(--soft); stroke-width: 2; }
.chart .cross { stroke: var(--alert); stroke-width: 2.2; fill: none; }
.chart .ring { fill: none; stroke: var(--test); stroke-width: 2; }
.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: .2rem 0 .6rem; padding: 0; list-style: none; font-size: .85rem; color: var(--soft); }
.keys svg { width: 1rem; height: 1rem; vertical-align: -.15rem; margin-right: .35rem; }
.keys .used { fill: var(--test); } .keys .unused { fill: none; stroke: var(--soft); stroke-width: 2; }
.keys .cross { stroke: var(--alert); stroke-width: 2.2; } .keys .ring { fill: none; stroke: var(--test); stroke-width: 2; }
.versions { min-width: 44rem; }
.versions td ul { margin: .25rem 0 0; padding-left: 1.1rem; font-size: .9rem; }
.versions .name { width: 21%; } .versions .set { width: 21%; } .versions .score { width: 18%; font-variant-numeric: tabular-nums; }
.versions .more td { border-top: 0; padding-top: 0; } .versions tr:has(+ .more) > * { padding-bottom: .2rem; }
.versions p { margin: .2rem 0 0; } .versions .score p { font-size: .85rem; margin: 0; }
.jump { margin: 1.2rem 0 0; }
.versions summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
.recalls { columns: 17rem; column-gap: 1.5rem; list-style: none; padding: 0 !important; font-variant-numeric: tabular-nums; }
.recalls li span:last-child { white-space: nowrap; }
.recalls li { display: flex; justify-content: space-between; gap: .8rem; break-inside: avoid; border-bottom: 1px solid var(--line); }
.classes td, .classes th { vertical-align: middle; padding-top: .25rem; padding-bottom: .25rem; }
.classes td.line { width: 16rem; }
.classes .fell { color: var(--alert); font-weight: 650; }
.line svg { display: block; width: 15rem; height: 1.7rem; }
.line .path { fill: none; stroke: var(--test); stroke-width: 1.6; }
.line .dot { fill: var(--test); }
.line .edge { stroke: var(--line); stroke-width: 1; }
`;
