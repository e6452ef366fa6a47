import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import type { Size } from './size.ts';

/** From a prepared picture, and its size for a network that takes that, to the network's outputs, one for each class. */
export type Network = (picture: Float32Array, side: number, size?: Size) => Promise<Float32Array>;

/** @param runtime ONNX Runtime's WebAssembly, which the page has inside: nothing is asked of any server */
export async function openNetwork(onnx: Uint8Array, runtime: ArrayBuffer): Promise<Network> {
  env.wasm.wasmBinary = runtime;
  // More threads need headers that only a server can send.
  env.wasm.numThreads = 1;
  env.logLevel = 'error';
  const session = await InferenceSession.create(onnx, { executionProviders: ['wasm'] });
  const [images = '', sizes] = session.inputNames;
  const output = session.outputNames[0] ?? '';
  return async (picture, side, size) => {
    if ((sizes === undefined) !== (size === undefined)) throw new Error('the model is of another page');
    const results = await session.run({
      [images]: new Tensor('float32', picture, [1, 3, side, side]),
      ...(sizes !== undefined && size && { [sizes]: new Tensor('float32', [...size], [1, 2]) }),
    });
    const data = results[output]?.data;
    if (!(data instanceof Float32Array)) throw new Error('the model gives no numbers');
    return data;
  };
}
