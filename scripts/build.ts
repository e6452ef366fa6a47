import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import { generateLicenseFile } from 'generate-license-file';
import { PROGRAMS } from '../src/image/wasm-program.ts';

/** Every action has a folder in `src` with a `main.ts`, and gets a bundle in `dist`. */
const ACTIONS = ['gpu-server', 'prepare-data', 'publish-model', 'settings', 'train-model'];

/** Programs of threads, by the action that starts them: each gets a bundle of its own beside the action's. */
const THREADS = [
  ['prepare-data', 'archive/digest-thread'],
  ['prepare-data', 'prepare-data/fill-thread'],
  ['prepare-data', 'prepare-data/look-thread'],
  ['prepare-data', 'prepare-data/picture-thread'],
  ['train-model', 'train-model/unpack-thread'],
] as const;

const root = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);

function tool(...command: readonly [script: string, ...args: string[]]): void {
  execFileSync(process.execPath, command, { cwd: root, stdio: 'inherit' });
}

/** One file with everything that the program imports, but what it loads on demand. */
function bundle(program: string, output: string): void {
  tool(require.resolve('@vercel/ncc/dist/ncc/cli.js'), 'build', program, '--out', output, '--minify');
  // ncc leaves what is loaded on demand as it is.
  for (const name of readdirSync(join(root, output)).filter((file) => /^\d+\.index\.js$/.test(file))) {
    const path = join(root, output, name);
    writeFileSync(path, transformSync(readFileSync(path, 'utf8'), { minify: true, legalComments: 'none' }).code);
  }
}

rmSync(join(root, 'build'), { recursive: true, force: true });
// ncc's own TypeScript loader does not know this version of TypeScript, so it gets the JavaScript.
tool(join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc'), '--project', 'tsconfig.build.json');
for (const action of ACTIONS) {
  const output = join('dist', action);
  rmSync(join(root, output), { recursive: true, force: true });
  bundle(`build/${action}/main.js`, output);
}
for (const [action, program] of THREADS) {
  const output = join('build', 'threads', program);
  bundle(`build/${program}.js`, output);
  // ncc has put the unbundled program there, as a file that the action names.
  copyFileSync(join(root, output, 'index.js'), join(root, 'dist', action, `${basename(program)}.js`));
}
for (const program of Object.values(PROGRAMS)) {
  // Not copied: a package may have it as an executable.
  writeFileSync(join(root, 'dist', 'prepare-data', basename(program)), readFileSync(require.resolve(program)));
}
const licences = join(root, 'dist', 'LICENSES.txt');
writeFileSync(licences, '');
// What MozJPEG is made of has licences of its own, in a file that is not found by its name.
const append = [require.resolve('@jsquash/jpeg/codec/LICENSE.codec.md')];
await generateLicenseFile(join(root, 'package.json'), licences, { lineEnding: 'lf', append });
