import * as z from 'zod/mini';
import { formatGate, parseGate } from '../model/gate.ts';
import { parseJsonAs } from '../model/parse-json.ts';
import { PUBLISH_MODEL } from '../schema/publish-model.ts';
import { type Checks, type Rules, refusalLines } from './checks.ts';
import type { PublishedModel } from './published-model.ts';

const time = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/));

const judgementSchema = z.object({
  time,
  passed: z.boolean(),
  reasons: z.array(z.string()),
  gate: z.string(),
  no_worse_than_production: z.boolean(),
  /** Releases before had neither these two nor `compared`. */
  margin: z.optional(z.number()),
  when_unsure: z.optional(z.enum(['promote-if-not-lower', 'wait'])),
  worse_classes: z.enum(['error', 'warn', 'allow']),
  allow_class_change: z.boolean(),
  production: z.nullable(z.string()),
  compared: z.optional(z.array(z.string())),
});

const promotionSchema = z.object({ time, by: z.enum(['checks', 'person']), replaced: z.nullable(z.string()) });

const gpuUseSchema = z.object({
  hours: z.number(),
  cost: z.nullable(z.number()),
  currency: z.string(),
  /** A server whose end nobody has seen counts to its deadline. */
  at_most: z.boolean(),
});

const recordSchema = z.object({
  format: z.literal(1),
  stored: z.nullable(time),
  judged: z.nullable(judgementSchema),
  promotions: z.array(promotionSchema),
  /** Of no GPU server, and of releases before, there is none. */
  gpu: z.optional(gpuUseSchema),
});

/** What the checks said about a version the last time they were asked, and by which rules. */
export type Judgement = z.infer<typeof judgementSchema>;

/** What the GPU servers of a training have run and cost; without a price of each in one currency, no cost. */
export type GpuUse = z.infer<typeof gpuUseSchema>;

/** A version going to production: by the checks, or because a person has named it. */
export type PromotionRecord = z.infer<typeof promotionSchema>;

/**
 * `verdict.json` of a version: what became of it. It is the one file of a version that changes, so SHA256SUMS does not
 * list it. Times are UTC.
 */
export type VersionRecord = z.infer<typeof recordSchema>;

/** @throws DiatomError `MODEL` naming `file` and the place in it */
export function parseRecord(text: string, file: string): VersionRecord {
  return parseJsonAs(recordSchema, text, file);
}

export function formatRecord(record: VersionRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/** A time as records have it. */
export function recordTime(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** @param production what the version was judged beside */
export function judgementOf(
  checks: Checks,
  rules: Rules,
  production: PublishedModel | undefined,
  now: Date,
): Judgement {
  return {
    time: recordTime(now),
    passed: checks.passed,
    reasons: refusalLines(checks, production),
    gate: formatGate(rules.gate),
    no_worse_than_production: rules.noWorse,
    margin: rules.margin,
    when_unsure: rules.whenUnsure,
    worse_classes: rules.worseClasses,
    allow_class_change: rules.allowClassChange,
    production: production?.version ?? null,
    compared: checks.findings.filter(({ about }) => about === 'comparison').map(({ sentence }) => sentence),
  };
}

/** The rules of a judgement. */
export function rulesOf({
  gate,
  no_worse_than_production: noWorse,
  margin = Number(PUBLISH_MODEL.margin.fallback),
  when_unsure: whenUnsure = 'promote-if-not-lower',
  worse_classes: worseClasses,
  allow_class_change: allowClassChange,
}: Judgement): Rules {
  return { gate: parseGate(gate), noWorse, margin, whenUnsure, worseClasses, allowClassChange };
}

/** The record once the version went to production. */
export function withPromotion(record: VersionRecord, promotion: PromotionRecord): VersionRecord {
  return { ...record, promotions: [...record.promotions, promotion] };
}
