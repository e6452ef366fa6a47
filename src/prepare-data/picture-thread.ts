/**
 * A thread that makes small pictures for the report. Decoders are not made for files that are meant to harm, or that take
 * more memory than there is: whatever becomes of this thread, the run goes on without the picture.
 */
import { NotShown } from '../image/pixels.ts';
import { type Thumbnail, thumbnailOf } from '../image/thumbnail.ts';
import { answerRequests } from '../parallel/thread-program.ts';

export interface PictureRequest {
  readonly file: Uint8Array;
  readonly maxBytes: number;
}

/** Or why it can't be shown. */
export type PictureReply = Thumbnail | { readonly notShown: string };

answerRequests<PictureRequest, PictureReply>(({ file, maxBytes }) =>
  answer(Buffer.from(file.buffer, file.byteOffset, file.byteLength), maxBytes),
);

async function answer(file: Buffer, maxBytes: number): Promise<PictureReply> {
  try {
    return await thumbnailOf(file, maxBytes);
  } catch (error) {
    return { notShown: error instanceof NotShown ? error.message : 'it can’t be decoded' };
  }
}
