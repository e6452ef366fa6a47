import type { Readable } from 'node:stream';

/** A server that sends less than this for so long is given up: a zip of 1 GB would take days. */
export interface LeastRate {
  /** A second. */
  readonly bytes: number;
  readonly overMs: number;
}

export const LEAST_RATE: LeastRate = { bytes: 1_000, overMs: 120_000 };

/**
 * Ends a body that only trickles. Who reads it may pause: what waits to be read shows that it is not the server.
 *
 * @param failure what the body then fails with
 */
export function endTrickle(body: Readable, { bytes, overMs }: LeastRate, failure: () => Error): void {
  const push = body.push.bind(body);
  let came = 0;
  body.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk instanceof Uint8Array) came += chunk.length;
    return push(chunk, encoding);
  };
  const watch = setInterval(() => {
    const isTrickle = came < (bytes * overMs) / 1_000 && body.readableLength === 0;
    came = 0;
    if (isTrickle) body.destroy(failure());
  }, overMs);
  watch.unref();
  const stop = () => clearInterval(watch);
  body.once('end', stop).once('close', stop).once('error', stop);
}
