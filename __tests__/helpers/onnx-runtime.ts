import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The WebAssembly that the page has inside. */
export function onnxRuntime(): ArrayBuffer {
  const file = createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm');
  return Uint8Array.from(readFileSync(file)).buffer;
}
