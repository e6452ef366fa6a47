/**
 * Gives memory outside of V8's heap back at once; what lies in it is gone. V8 would do so when it next collects its heap, and
 * it collects often when much memory outside of the heap is in use: that takes more of the processors' time than the work
 * on the bytes. For whoever is the only one with a view of it.
 */
export function freeMemory(memory: ArrayBufferLike): void {
  if (memory instanceof ArrayBuffer) memory.transfer(0);
}
