import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { ROOT } from '../../scripts/action-metadata.ts';
import { AWS_OPERATIONS } from '../../src/gpu-server/ec2-aws.ts';
import { describe, unlisted } from '../../src/gpu-server/ec2-instances.ts';

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

test('an instance that ended because its disk’s key may not be used says so, and where the permissions stand', () => {
  const ended = (reason: string) =>
    describe({ ...unlisted('i-0a', 'eu-central-1', 'diatom-1-1'), ec2State: 'terminated', reason });
  for (const reason of ['Client.InternalError: Client error on launch', 'Client.InvalidKMSKey.InvalidState: …']) {
    expect(ended(reason)).toMatch(
      /is terminated: Client\.\S+ .*\. Most likely its disk is encrypted with a key \(AWS KMS\)/,
    );
  }
  expect(ended('Client.InstanceInitiatedShutdown: Instance initiated shutdown')).not.toContain('KMS');
  expect(docs).toContain('**An encrypted disk.**');
});
