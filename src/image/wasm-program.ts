import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Where their packages have them; beside the bundle they lie under the last part of it. */
export const PROGRAMS = {
  'jpeg-turbo': '@cwasm/jpeg-turbo/jpeg-turbo.wasm',
  mozjpeg_enc: '@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm',
  webp: '@cwasm/webp/webp.wasm',
} as const;

/** A decoder or encoder in WebAssembly: from its package, or from beside the bundle. */
export function readProgram(name: keyof typeof PROGRAMS): WebAssembly.Module {
  const base = import.meta.url;
  const file = base.endsWith('.ts') ? createRequire(base).resolve(PROGRAMS[name]) : new URL(`./${name}.wasm`, base);
  return new WebAssembly.Module(readFileSync(file));
}

/** For what a program may not do, and for what it does when a file can't be decoded. */
export function refuse(): never {
  throw new Error('it can’t be decoded');
}
