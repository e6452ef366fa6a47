import type * as z from 'zod/mini';
import { DiatomError } from '../errors.ts';

/**
 * Reads a description of a model, such as `metrics.json`.
 *
 * @param file its name, for the message
 * @throws DiatomError `MODEL` naming the file, and what is found and expected at each faulty place in it
 */
export function parseJsonAs<T>(schema: z.ZodMiniType<T>, text: string, file: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DiatomError(
      'MODEL',
      `${file} is not JSON (NaN is not allowed): ${cause instanceof Error ? cause.message : cause}.`,
      {
        cause,
      },
    );
  }
  const parsed = schema.safeParse(value, { error: sentenceOfIssue });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.map(String).join(' → ') || 'the whole'} ${message}`);
  throw new DiatomError('MODEL', `${file} is not what training and testing should write: ${faults.join('; ')}.`);
}

function sentenceOfIssue(issue: z.core.$ZodRawIssue): string {
  if (issue.input === undefined) return 'is missing';
  const found = `is ${String(JSON.stringify(issue.input)).slice(0, 60)}`;
  switch (issue.code) {
    case 'invalid_type':
      return `${found}, expected is ${issue.expected}`;
    case 'invalid_value':
      return `${found}, expected is ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return `${found}, allowed is at least ${issue.minimum}`;
    case 'too_big':
      return `${found}, allowed is at most ${issue.maximum}`;
    default:
      return `${found}, which is not allowed there`;
  }
}
