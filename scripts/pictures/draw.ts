import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../action-metadata.ts';

/** The nearest there is to what GitHub shows Markdown with. Nothing else in the project needs it. */
const TOOLS = ['marked@18.2.1', 'mermaid@12.3.0', 'github-markdown-css@5.9.0'];

/** In CSS pixels, about that of a job summary on GitHub. */
const WIDTH = 960;

/** The job summaries that `runs.ts` leaves. A number shows only so many pixels from the top. */
const SUMMARIES: Readonly<Record<string, number | undefined>> = {
  check: undefined,
  'data-set': undefined,
  training: undefined,
  publication: undefined,
  gate: undefined,
};

const PLOTS = ['learning_curve', 'confusion_matrix', 'worst_errors'];

const CHROMIUM = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', '--hide-scrollbars', '--allow-file-access-from-files'],
  // Time for the charts to be drawn.
  '--virtual-time-budget=20000',
];

/** A page that shows Markdown as GitHub does, and says its height. */
function summaryPage(markdown: string, tools: string): string {
  const url = (path: string) => pathToFileURL(join(tools, 'node_modules', path)).href;
  return `<!doctype html><meta charset="utf-8">
<link rel="stylesheet" href="${url('github-markdown-css/github-markdown-light.css')}">
<style>
  body { margin: 0; padding: 20px 24px; box-sizing: border-box; width: ${WIDTH}px; background: #fff; }
  .mermaid { text-align: center; background: #fff !important; }
</style>
<article class="markdown-body"></article>
<script src="${url('marked/lib/marked.umd.js')}"></script>
<script src="${url('mermaid/dist/mermaid.min.js')}"></script>
<script type="module">
  const article = document.querySelector('article');
  article.innerHTML = marked.parse(${JSON.stringify(markdown).replaceAll('<', '\\u003c')});
  for (const code of article.querySelectorAll('code.language-mermaid')) {
    code.parentElement.className = 'mermaid';
    code.parentElement.textContent = code.textContent;
  }
  for (const first of article.querySelectorAll('blockquote > p:first-child')) {
    const [, kind] = /^\\[!([A-Z]+)\\]\\n/.exec(first.textContent) ?? [];
    if (!kind) continue;
    first.innerHTML = first.innerHTML.replace(/^[^\\n]*\\n/, '');
    first.parentElement.className = 'markdown-alert markdown-alert-' + kind.toLowerCase();
    const title = document.createElement('p');
    title.className = 'markdown-alert-title';
    title.textContent = kind[0] + kind.slice(1).toLowerCase();
    first.before(title);
  }
  mermaid.initialize({ startOnLoad: false });
  await mermaid.run();
  document.title = String(Math.ceil(document.body.getBoundingClientRect().height));
</script>`;
}

function chromium(...args: readonly string[]): string {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  try {
    return execFileSync('chromium', [...CHROMIUM, `--user-data-dir=${profile}`, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}

/** @param height in CSS pixels */
function photograph(page: string, height: number, target: string): void {
  const size = [`--window-size=${WIDTH},${height}`, '--force-device-scale-factor=1.5'];
  chromium(...size, `--screenshot=${target}`, pathToFileURL(page).href);
  shrink(target);
}

/** Fewer colours, and packed as tightly as PNG allows. */
function shrink(picture: string): void {
  execFileSync('pngquant', [
    '--force',
    '--skip-if-larger',
    '--quality=60-95',
    '--speed=1',
    '--output',
    picture,
    picture,
  ]);
  execFileSync('optipng', ['-quiet', '-o5', '-strip', 'all', picture]);
}

/** Draws what the runs in `folder` left into `docs/pictures`. Takes chromium, pngquant and optipng. */
function draw(folder: string): void {
  const tools = mkdtempSync(join(tmpdir(), 'picture-tools-'));
  try {
    execFileSync('npm', ['install', '--prefix', tools, '--no-audit', '--no-fund', ...TOOLS], { stdio: 'inherit' });
    const target = (name: string) => join(ROOT, 'docs', 'pictures', `${name}.png`);
    for (const [name, height] of Object.entries(SUMMARIES)) {
      const page = join(tools, `${name}.html`);
      writeFileSync(page, summaryPage(readFileSync(join(folder, `${name}.md`), 'utf8'), tools));
      const dom = chromium(`--window-size=${WIDTH},800`, '--dump-dom', pathToFileURL(page).href);
      const [, whole] = /<title>(\d+)<\/title>/.exec(dom) ?? [];
      if (whole === undefined) throw new Error(`${page} could not be drawn`);
      photograph(page, height ?? Number(whole), target(name));
    }
    photograph(join(folder, 'workspace', 'data', 'results', 'report.html'), 1000, target('report'));
    for (const name of PLOTS) {
      copyFileSync(join(folder, 'workspace', 'training', `${name}.png`), target(name));
      shrink(target(name));
    }
  } finally {
    rmSync(tools, { recursive: true, force: true });
  }
}

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder that runs.ts has made.');
draw(resolve(folder));
