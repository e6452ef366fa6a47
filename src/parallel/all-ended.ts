/**
 * Like `Promise.all`, but a failure is thrown only when all have ended: then nothing goes on that the caller does not know of.
 * Of several failures it is the first in the order given.
 */
export async function allEnded<const Works extends readonly unknown[]>(
  works: Works,
): Promise<{ -readonly [Index in keyof Works]: Awaited<Works[Index]> }> {
  const ends = await Promise.allSettled(works);
  const failure = ends.find((end) => end.status === 'rejected');
  if (failure) throw failure.reason;
  return Promise.all(works);
}
