import * as z from 'zod/mini';
import { jsonOf } from '../text/json.ts';

const recordSchema = z.object({ promotions: z.array(z.object({ replaced: z.nullish(z.string()) })) });

/** The promotions that a version's record lists, and what each has replaced; none when it can't be read. */
export function promotionsIn(json: string | undefined): z.infer<typeof recordSchema>['promotions'] {
  return recordSchema.safeParse(jsonOf(json ?? '')).data?.promotions ?? [];
}
