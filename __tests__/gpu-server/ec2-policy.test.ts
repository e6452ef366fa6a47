import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { ROOT } from '../../scripts/action-metadata.ts';
import { AWS_OPERATIONS } from '../../src/gpu-server/ec2-aws.ts';

const POLICY = z.object({
  Statement: z.array(
    z.object({
      Principal: z.optional(z.unknown()),
      Action: z.union([z.string(), z.array(z.string())]),
    }),
  ),
});

const docs = readFileSync(join(ROOT, 'docs', 'gpu-server-ec2.md'), 'utf8');

test('the policies in the docs allow exactly what the driver asks of AWS', () => {
  const policies = [...docs.matchAll(/```json\n(.*?)```/gs)].map(([, json = '']) => POLICY.parse(JSON.parse(json)));
  const allowed = policies
    .flatMap(({ Statement }) => Statement)
    .filter(({ Principal }) => Principal === undefined)
    .flatMap(({ Action }) => Action);
  const needed = Object.values(AWS_OPERATIONS).flat();
  expect([...new Set(allowed)].sort()).toEqual([...new Set(needed)].sort());
});
