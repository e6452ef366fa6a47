import * as z from 'zod/mini';
import { startUploadServer } from './upload-server.ts';
import { startZipServer } from './zip-server.ts';

/** What a server process is told: JSON, its only argument. */
export const serveSchema = z.object({
  kind: z.enum(['zips', 'uploads']),
  directory: z.string(),
  port: z.number(),
  chunking: z.boolean(),
  bytesPerSecond: z.optional(z.number()),
  /** Of uploads: see `UploadServerOptions`. */
  storingMs: z.optional(z.number()),
  assemblyMs: z.optional(z.number()),
});

export type ServeOptions = z.infer<typeof serveSchema>;

if (import.meta.main) {
  const options = serveSchema.parse(JSON.parse(process.argv[2] ?? ''));
  await (options.kind === 'zips' ? startZipServer(options) : startUploadServer(options));
}
