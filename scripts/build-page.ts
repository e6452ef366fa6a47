import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
import { gzipSync } from 'fflate';
import { escapeHtml } from '../src/dataset/html.ts';
import { pageLicences } from './page-licences.ts';

/**
 * Makes templates/model/predict.html: the page that classifies pictures in a browser, in one file. ONNX Runtime's
 * WebAssembly is inside, because a page from the disk may read no file beside it.
 */
const root = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);
const source = join(root, 'src', 'predict-page');

const { outputFiles, metafile } = buildSync({
  absWorkingDir: root,
  entryPoints: [join(source, 'page.ts')],
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'inline',
  // ONNX Runtime looks for files beside its own, and in a page from the disk Firefox has no origin to put before their names.
  // Nothing is to be found beside a blob, so it does not look.
  define: { 'import.meta.url': '"blob:"' },
});
const script = outputFiles[0]?.text ?? '';
if (script.includes('</script')) throw new Error('The script of the page would end its own element.');
const wasm = readFileSync(require.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
// fflate, pinned to one version, packs to the same bytes everywhere.
const runtime = Buffer.from(gzipSync(wasm, { level: 9, mem: 12, mtime: 0 })).toString('base64');
const licences = escapeHtml(pageLicences(Object.keys(metafile.inputs).map((file) => join(root, file))));
const page = readFileSync(join(source, 'predict.html'), 'utf8')
  .replace('LICENCES', () => licences)
  .replace('RUNTIME', () => runtime)
  .replace('SCRIPT', () => script);
const target = join(root, 'templates', 'model', 'predict.html');
writeFileSync(target, page);
console.log(`${target}: ${(page.length / 1e6).toFixed(2)} MB, of which ${(script.length / 1e3).toFixed(0)} kB program`);
