import { NotShown, type Pixels, requireFewPixels } from './pixels.ts';
import { readProgram, refuse } from './wasm-program.ts';

/** What of libjpeg-turbo's own interface (turbojpeg.h) is called, in WebAssembly. Zero is a null pointer, or success. */
interface Turbo {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(pointer: number): void;
  tjInitDecompress(): number;
  tjDestroy(handle: number): void;
  tjDecompressHeader3(
    handle: number,
    file: number,
    fileBytes: number,
    width: number,
    height: number,
    subsampling: number,
    colours: number,
  ): number;
  tjDecompress2(
    handle: number,
    file: number,
    fileBytes: number,
    output: number,
    width: number,
    pitch: number,
    height: number,
    format: number,
    flags: number,
  ): number;
}

/** TJPF_RGB and TJPF_GRAY. */
const FORMATS = { 3: 0, 1: 6 } as const;

/** TJCS_CMYK and TJCS_YCCK. */
const CMYK = 3;
const YCCK = 4;

const WHITE = 255;

/** Eighths of its size in which an image can be decoded: of the frequencies that these do not need, none is computed. */
const SCALES = [1, 2, 4, 8];

/** Memory that an image once took stays taken. */
const MAX_KEPT_BYTES = 20 * 2 ** 20;

export type DecodeJpeg = (file: Uint8Array) => Pixels;

/** What a decoder gives. */
interface Wanted {
  /** The image is at least so wide and high, where it is in the file. */
  readonly side: number;
  /** RGB, or grey. */
  readonly channels: 3 | 1;
  /** Whether an image will do of which a part is missing. */
  readonly evenDamaged: boolean;
}

/**
 * A decoder of JPEG that gives pixels of a reduced size. It takes a fiftieth to a tenth of the time that one in JavaScript
 * needs for all pixels, and gives the same on every machine.
 */
export function createJpegDecoder(wanted: Wanted): DecodeJpeg {
  let program: WebAssembly.Module | undefined;
  let turbo: Turbo | undefined;
  return (file) => {
    program ??= readProgram('jpeg-turbo');
    turbo ??= start(program);
    try {
      return decode(turbo, file, wanted);
    } catch (error) {
      // It was left in the middle of its work.
      turbo = undefined;
      throw error;
    } finally {
      if (turbo && turbo.memory.buffer.byteLength > MAX_KEPT_BYTES) turbo = undefined;
    }
  };
}

function start(program: WebAssembly.Module): Turbo {
  const nothing = () => 0;
  const { exports } = new WebAssembly.Instance(program, {
    env: { setjmp: nothing, longjmp: refuse },
    wasi_snapshot_preview1: {
      environ_sizes_get: nothing,
      environ_get: refuse,
      proc_exit: refuse,
      fd_close: refuse,
      fd_seek: refuse,
      fd_write: refuse,
    },
  });
  if (!isTurbo(exports)) throw new Error('jpeg-turbo.wasm is another program than was expected');
  return exports;
}

function isTurbo(exports: object): exports is Turbo {
  return 'tjDecompress2' in exports && 'tjDecompressHeader3' in exports && 'memory' in exports;
}

function decode(turbo: Turbo, file: Uint8Array, { side, channels, evenDamaged }: Wanted): Pixels {
  const taken: number[] = [];
  const take = (bytes: number): number => {
    const at = turbo.malloc(bytes);
    if (at === 0) throw new Error('it takes too much memory');
    taken.push(at);
    return at;
  };
  /** Whenever more memory is taken, the view of it has to be another. */
  const memory = () => Buffer.from(turbo.memory.buffer);
  const handle = turbo.tjInitDecompress();
  const input = take(file.length);
  memory().set(file, input);
  const header = take(16);
  memory().fill(0, header, header + 16);
  // What can't be decoded ends in `longjmp`. A status names oddities, such as bytes that mean nothing, and parts that lack.
  turbo.tjDecompressHeader3(handle, input, file.length, header, header + 4, header + 8, header + 12);
  const [fullWidth, fullHeight, colours] = [0, 4, 12].map((at) => memory().readInt32LE(header + at));
  if (!fullWidth || !fullHeight) refuse();
  if (colours === CMYK || colours === YCCK) throw new NotShown('a JPEG in the colours of printers (CMYK)');
  requireFewPixels(fullWidth, fullHeight);
  const scale = SCALES.find((eighths) => (Math.min(fullWidth, fullHeight) * eighths) / 8 >= side) ?? 8;
  const width = Math.ceil((fullWidth * scale) / 8);
  const height = Math.ceil((fullHeight * scale) / 8);
  const bytes = width * height * channels;
  const output = take(bytes);
  memory().fill(WHITE, output, output + bytes);
  const status = turbo.tjDecompress2(handle, input, file.length, output, width, 0, height, FORMATS[channels], 0);
  if (status !== 0 && !evenDamaged) refuse();
  const data = new Uint8Array(memory().subarray(output, output + bytes));
  for (const at of taken) turbo.free(at);
  turbo.tjDestroy(handle);
  return { width, height, channels, data, black: 0, white: WHITE };
}
