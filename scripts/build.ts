import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { generateLicenseFile } from 'generate-license-file';

/** Every action has a folder in `src` with a `main.ts`, and gets a bundle in `dist`. */
const ACTIONS = ['prepare-data', 'publish-model', 'train-model'];

const root = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);

function tool(...command: readonly [script: string, ...args: string[]]): void {
  execFileSync(process.execPath, command, { cwd: root, stdio: 'inherit' });
}

rmSync(join(root, 'build'), { recursive: true, force: true });
// ncc's own TypeScript loader does not know this version of TypeScript, so it gets the JavaScript.
tool(join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc'), '--project', 'tsconfig.build.json');
for (const action of ACTIONS) {
  const output = join('dist', action);
  rmSync(join(root, output), { recursive: true, force: true });
  tool(require.resolve('@vercel/ncc/dist/ncc/cli.js'), 'build', `build/${action}/main.js`, '--out', output, '--minify');
}
const licences = join(root, 'dist', 'LICENSES.txt');
writeFileSync(licences, '');
await generateLicenseFile(join(root, 'package.json'), licences, { lineEnding: 'lf' });
