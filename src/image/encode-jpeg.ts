import encode, { init } from '@jsquash/jpeg/encode.js';
import { readProgram } from './wasm-program.ts';

/** RGBA with 8 bits. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Of JPEG. */
const QUALITY = 70;

let ready: Promise<void> | undefined;

/** Encodes with MozJPEG, in WebAssembly: the same on every machine. */
export async function encodeJpeg({ width, height, data }: Picture): Promise<Uint8Array> {
  ready ??= init(readProgram('mozjpeg_enc'));
  await ready;
  return new Uint8Array(await encode({ width, height, data }, { quality: QUALITY }));
}
