import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { defineConfig } from 'vitepress';

const REPOSITORY = 'https://github.com/diatom-actions/diatom-actions';
const TOP = resolve(import.meta.dirname, '..', '..', '..');
/** Copies of the pages, as Vue is not found from where they lie. */
const COPIES = resolve(import.meta.dirname, '..', 'pages');

rmSync(COPIES, { recursive: true, force: true });
const tracked = execFileSync('git', ['ls-files', '-z', '*.md', 'docs/pictures'], { cwd: TOP, encoding: 'utf8' });
for (const file of tracked.split('\0').filter((name) => name !== '' && !name.startsWith('__tests__/'))) {
  cpSync(join(TOP, file), join(COPIES, file));
}

/** The pages in the order in which people need them; each lies where GitHub shows it. */
const PAGES = {
  Begin: {
    'From zero to a published model': '/docs/from-zero',
    'Data sets': '/',
    Settings: '/docs/settings',
    Workflows: '/docs/workflows',
  },
  Actions: {
    'Build the image': '/docs/build-image',
    'Train a model': '/docs/train-model',
    'Publish a model': '/docs/publish-model',
    'The template for training': '/templates/model/README',
  },
  Machines: {
    'Self-hosted runners': '/docs/self-hosted-runners',
    'GPU server': '/docs/gpu-server',
    'A workstation': '/docs/gpu-server-local',
    'A machine by commands': '/docs/gpu-server-command',
    SkyPilot: '/docs/gpu-server-skypilot',
    Slurm: '/docs/gpu-server-slurm',
    'Amazon EC2': '/docs/gpu-server-ec2',
    'Google Compute Engine': '/docs/gpu-server-gce',
    OpenStack: '/docs/gpu-server-openstack',
  },
  'In depth': {
    'Near-duplicates': '/docs/near-duplicates',
    Performance: '/docs/performance',
    'Where the time goes': '/docs/where-the-time-goes',
    Architecture: '/docs/architecture',
    Contributing: '/CONTRIBUTING',
    Security: '/SECURITY',
    Changes: '/CHANGELOG',
  },
};

/** As GitHub makes an anchor of a heading, so that the links that work there work here. */
export function slugify(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** What is no page here (a workflow, a program, a folder) is a link to GitHub. */
function linkOf(href: string, page: string): string {
  const [path = '', anchor] = href.split('#');
  if (path === '' || /^[a-z]+:|^\//i.test(path) || path.endsWith('.md')) return href;
  const target = join(TOP, dirname(page), path);
  if (!existsSync(target)) throw new Error(`${page} links to ${path}, which does not exist.`);
  return `${REPOSITORY}/blob/main/${relative(TOP, target)}${anchor === undefined ? '' : `#${anchor}`}`;
}

export default defineConfig({
  lang: 'en-GB',
  title: 'Diatom Actions',
  description: 'From labelled microscope images to a trained, published model, on GitHub Actions.',
  base: process.env['SITE_BASE'] ?? '/',
  srcDir: COPIES,
  ignoreDeadLinks: 'localhostLinks',
  outDir: resolve(TOP, 'build', 'site'),
  rewrites: { 'README.md': 'index.md' },
  cleanUrls: true,
  markdown: {
    anchor: { slugify },
    toc: { slugify },
    config(md) {
      // What looks like an expression of Vue’s is one of GitHub’s.
      const code = md.renderer.rules.code_inline;
      md.renderer.rules.code_inline = (...token) => code?.(...token).replace('<code', '<code v-pre') ?? '';
      md.core.ruler.push('links-to-github', ({ tokens, env }) => {
        for (const token of tokens.flatMap((one) => [one, ...(one.children ?? [])])) {
          // A picture that stands in HTML.
          if (token.type.startsWith('html_'))
            token.content = token.content.replace(/(<img src=")(?![a-z]+:|[./])/g, '$1./');
          const href = token.type === 'link_open' ? token.attrGet('href') : null;
          if (href !== null)
            token.attrSet('href', linkOf(href, env.relativePath === 'index.md' ? 'README.md' : env.relativePath));
        }
      });
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/main/:path` },
    sidebar: Object.entries(PAGES).map(([text, pages]) => ({
      text,
      items: Object.entries(pages).map(([name, link]) => ({ text: name, link })),
    })),
  },
});
