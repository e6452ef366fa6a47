import * as z from 'zod/mini';

const share = z.nullable(z.number());

/** What training wrote into the page about its model. The network itself is a file of its own. */
export const modelSchema = z.object({
  name: z.string(),
  classes: z.array(z.string()),
  imageSize: z.int(),
  /** In what the network takes the size of a picture, if it does. */
  sizeInput: z.optional(z.enum(['pixels', 'um'])),
  temperature: z.number(),
  threshold: share,
  wantedPrecision: share,
  onnx: z.object({ bytes: z.int(), sha256: z.string() }),
});

export type Model = z.infer<typeof modelSchema>;
