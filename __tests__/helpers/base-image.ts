import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { requireCommand, run } from './commands.ts';

const PACKAGES = ['python3-torch', 'python3-torchvision', 'python3-matplotlib'];

const PYTHON = '/usr/lib/python3/dist-packages';

/** What the packages bring along and training never reads: half of all bytes. `*` matches `/`, too. */
const LEFT_OUT = [
  '/usr/bin/*-lto-dump-*',
  '/usr/include/*',
  '/usr/lib/*.a',
  '/usr/lib/*/dri/*',
  '/usr/lib/*/libLLVM*',
  '/usr/lib/*/mfx/*',
  '/usr/lib/gcc/*/cc1*',
  '/usr/lib/gcc/*/lto1',
  '/usr/lib/libtorch-test/*',
  `${PYTHON}/*/tests/*`,
  `${PYTHON}/torch/bin/test_*`,
  `${PYTHON}/torch/test/*`,
  '/usr/share/X11/*',
  '/usr/share/doc/*',
  '/usr/share/iso-codes/*',
  '/usr/share/javascript/*',
  '/usr/share/locale/*',
  '/usr/share/man/*',
  '/usr/share/proj/*',
  '/usr/share/unicode/*',
];

/** Compiled in advance: all of Debian's Python would take minutes. */
const COMPILED = ['torch', 'torchvision', 'numpy', 'PIL', 'matplotlib'];

const COMPILER = '/usr/bin/py3compile';

/** For mmdebstrap, before the target's name. */
const RECIPE = [
  '--variant=minbase',
  `--include=${PACKAGES.join(',')}`,
  '--aptopt=APT::Install-Recommends "false"',
  ...[...LEFT_OUT, COMPILER].map((path) => `--dpkgopt=path-exclude=${path}`),
  `--essential-hook=ln -s /bin/true "$1${COMPILER}"`,
  `--customize-hook=chroot "$1" python3 -m compileall -q -j 0 ${COMPILED.map((name) => `${PYTHON}/${name}`).join(' ')}`,
  '--customize-hook=chroot "$1" python3 -c "import torch, torchvision, matplotlib.pyplot"',
  'bookworm',
];

/** The same Debian with Python alone. */
const PYTHON_RECIPE = [
  '--variant=minbase',
  '--include=python3',
  '--aptopt=APT::Install-Recommends "false"',
  '--dpkgopt=path-exclude=/usr/share/doc/*',
  '--dpkgopt=path-exclude=/usr/share/locale/*',
  '--dpkgopt=path-exclude=/usr/share/man/*',
  'bookworm',
];

/**
 * The name of an image to train in where none can be pulled from outside: Debian 12 with its own PyTorch for the CPU. It
 * is made once, which takes some minutes, and then kept in the user's cache (1.1 GB) and by the engine.
 */
export function baseImage(): Promise<string> {
  return makeImage('pytorch', 'base-image', RECIPE);
}

/** The name of an image with only Debian 12 and its Python, made and kept in the same way, for what needs no PyTorch. */
export function pythonImage(): Promise<string> {
  return makeImage('python', 'python-image', PYTHON_RECIPE);
}

async function makeImage(repository: string, file: string, recipe: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(recipe.join('\n')).digest('hex').slice(0, 12);
  const name = `diatom-actions-tests/${repository}:${hash}`;
  if ((await run('docker', ['images', '--quiet', name])) !== '') return name;
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'diatom-actions');
  const tar = join(cache, `${file}-${hash}.tar`);
  if (!existsSync(tar)) await makeTar(recipe, cache, tar);
  await run('docker', ['import', '--change', 'CMD ["python3"]', tar, name]);
  return name;
}

async function makeTar(recipe: readonly string[], cache: string, tar: string): Promise<void> {
  requireCommand('mmdebstrap', 'on Debian “apt-get install mmdebstrap”');
  await mkdir(cache, { recursive: true });
  // Whoever finds the final name finds a whole file. mmdebstrap tells the format by the ending.
  const unfinished = `${tar}.${process.pid}.tar`;
  try {
    // Without root, mmdebstrap would take settings that not every machine has.
    const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
    await run('env', [...sudo, 'mmdebstrap', '--quiet', ...recipe, unfinished]);
    await rename(unfinished, tar);
  } finally {
    await rm(unfinished, { force: true });
  }
}
