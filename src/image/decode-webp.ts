import type { Pixels } from './pixels.ts';
import { readProgram, refuse } from './wasm-program.ts';

/** What of libwebp's own interface (decode.h) is called. Zero is a null pointer. */
interface Libwebp {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  WebPDecodeRGBA(file: number, fileBytes: number, width: number, height: number): number;
}

/** Lossy and lossless ones; of those that move, none. */
export function decodeWebp(file: Buffer): Pixels {
  // A program of its own for each image: its memory goes with it, and few images are WebP.
  const { exports } = new WebAssembly.Instance(readProgram('webp'), {
    wasi_snapshot_preview1: { fd_close: refuse, fd_seek: refuse, fd_write: refuse },
  });
  if (!isLibwebp(exports)) throw new Error('webp.wasm is another program than was expected');
  const input = exports.malloc(file.length);
  const size = exports.malloc(8);
  if (input === 0 || size === 0) refuse();
  // Whenever more memory is taken, the view of it has to be another.
  new Uint8Array(exports.memory.buffer).set(file, input);
  const output = exports.WebPDecodeRGBA(input, file.length, size, size + 4);
  if (output === 0) refuse();
  const [width = 0, height = 0] = new Uint32Array(exports.memory.buffer, size, 2);
  const data = new Uint8Array(exports.memory.buffer, output, 4 * width * height).slice();
  return { width, height, channels: 4, data, black: 0, white: 255, opaque: 255 };
}

function isLibwebp(exports: object): exports is Libwebp {
  return 'WebPDecodeRGBA' in exports && 'malloc' in exports && 'memory' in exports;
}
