import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const PACKAGES = {
  'jpeg-turbo': '@cwasm/jpeg-turbo',
  mozjpeg_enc: '@jsquash/jpeg/codec/enc',
  webp: '@cwasm/webp',
} as const;

/** A decoder or encoder in WebAssembly: from its package, or from beside the bundle. */
export function readProgram(name: keyof typeof PACKAGES): WebAssembly.Module {
  const base = import.meta.url;
  const file = base.endsWith('.ts')
    ? createRequire(base).resolve(`${PACKAGES[name]}/${name}.wasm`)
    : new URL(`./${name}.wasm`, base);
  return new WebAssembly.Module(readFileSync(file));
}

/** For what a program may not do, and for what it does when a file can't be decoded. */
export function refuse(): never {
  throw new Error('it can’t be decoded');
}
