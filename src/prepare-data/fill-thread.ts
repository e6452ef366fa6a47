/**
 * A thread that puts images, and whole files, into the archive: it reads, unpacks, checks and hashes them, deflates what
 * gets smaller by it, writes them to their places, and tells what it found. It waits for the disk at every step, which is
 * fastest for many small files and leaves the main program free for the network.
 */
import { answerRequests } from '../parallel/thread-program.ts';
import { prepareFile } from './file-job.ts';
import { prepareImagesJob } from './image-job.ts';
import { hashesOf, readFiles } from './read-entries.ts';
import type { FillReply, FillRequest, Prepared } from './thread-jobs.ts';

let prepared: Prepared | undefined;

answerRequests<FillRequest, FillReply>(answer, (reply) => {
  const files = 'filled' in reply ? reply.filled.files : 'files' in reply ? reply.files : undefined;
  const pictures = 'filled' in reply ? reply.filled.pictures : [];
  return [files, ...pictures].flatMap((given) => given?.data?.buffer ?? []);
});

async function answer(request: FillRequest): Promise<FillReply> {
  if ('job' in request) {
    const { job } = request;
    prepared = await (job.kind === 'file' ? prepareFile(job) : prepareImagesJob(job));
    return { length: prepared.length };
  }
  if ('hash' in request) return { hashes: await hashesOf(request.hash) };
  if ('read' in request) return { files: readFiles(request.read) };
  if (!prepared) throw new Error('A place without a job');
  return { filled: prepared.write(request.offset) };
}
