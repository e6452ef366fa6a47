/** So many bytes of images, and so many images, are a thread's job: large enough to need few messages. */
const JOB_BYTES = 2 * 2 ** 20;
const JOB_IMAGES = 256;

/** Images in their order; a large one is alone. */
export function* batchesOf<Image>(
  images: readonly Image[],
  bytesOf: (image: Image) => number,
): Generator<readonly Image[]> {
  for (let next = 0; next < images.length; ) {
    const start = next;
    let bytes = 0;
    for (; next < images.length && next - start < JOB_IMAGES; next++) {
      const image = images[next];
      const more = image === undefined ? 0 : bytesOf(image);
      if (next > start && bytes + more > JOB_BYTES) break;
      bytes += more;
    }
    yield images.slice(start, next);
  }
}
