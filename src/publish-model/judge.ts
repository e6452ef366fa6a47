import { DiatomError } from '../errors.ts';
import { METRICS_FILE, RECORD_FILE } from '../model/model-folder.ts';
import { readText } from '../owncloud/read-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { info } from '../runner/log.ts';
import { type Checks, checkCandidate } from './checks.ts';
import type { Context } from './context.ts';
import type { Inputs, JudgeTask } from './inputs.ts';
import { putIntoProduction } from './into-production.ts';
import { keepRecord } from './keep-record.ts';
import type { LockedFolder } from './locked-folder.ts';
import { judgedOutcome, type Outcome } from './outcome.ts';
import { comparisonOf, readStoredVersion, type StoredVersion } from './stored-version.ts';
import { type Judgement, judgementOf, parseRecord, type VersionRecord } from './version-record.ts';

/**
 * Judges a version that is on the server, as if it came from training now. What was judged before by the same rules,
 * beside the same production, is not judged again: it is named with its reasons.
 *
 * @throws DiatomError `INPUT` when there is no such version, `MODEL` when it lacks something
 */
export async function judgeVersion(
  inputs: Inputs,
  task: JudgeTask,
  place: LockedFolder,
  context: Context,
): Promise<Outcome> {
  const { production, content, remote, folder } = place;
  const { version, rules } = task;
  if (!content.versions.includes(version)) {
    throw new DiatomError(
      'INPUT',
      `Input judge-version: the version ${version} is not in “${folder}” at ${remote.rootUrl.host}.`,
    );
  }
  const stored = await readStoredVersion(place, version, 'judge-version');
  const { checks, model } = await judged(stored, task, place);
  const { sha256, classes, files } = stored;
  const outcome = judgedOutcome(inputs, place, task, { sha256, classes, checks, model });
  const judgement = judgementOf(checks, rules, production, context.now());
  const record = await recordOf(place, version);
  const known = whatIsKnown(outcome, record, judgement);
  if (known !== undefined) {
    info(known.sentence);
    const settled = { ...outcome, promoted: production?.version === version, settled: known };
    context.onStored(settled);
    return settled;
  }
  await keepRecord(place, version, (before) => ({ ...before, judged: judgement }));
  context.onStored(outcome);
  if (!checks.passed || !task.promote) return outcome;
  return { ...(await putIntoProduction(outcome, files, place, context)), mayTidy: true };
}

async function judged(
  { classes, metrics }: StoredVersion,
  { version, rules }: JudgeTask,
  place: LockedFolder,
): Promise<{ checks: Checks; model: NonNullable<Outcome['model']> }> {
  const { remote, folder, production } = place;
  if (!metrics) {
    throw new DiatomError(
      'MODEL',
      `The version “${folder}/${version}” at ${remote.rootUrl.host} can’t be judged: it has no ${METRICS_FILE} that can be read.`,
    );
  }
  const comparison = await comparisonOf(version, place);
  const checks = checkCandidate({ classes, metrics, comparison }, production, rules);
  return { checks, model: { metrics, comparison } };
}

async function recordOf(
  { remote, folder, options }: LockedFolder,
  version: string,
): Promise<VersionRecord | undefined> {
  const text = await readText(remote, remotePath(`${folder}/${version}`, RECORD_FILE), options);
  return text === undefined ? undefined : parseRecord(text, `${folder}/${version}/${RECORD_FILE}`);
}

/** Why there is nothing to judge; `undefined` when there is. */
function whatIsKnown(outcome: Outcome, record: VersionRecord | undefined, now: Judgement): Outcome['settled'] {
  const { version, production, promotionWanted } = outcome;
  const over = (sentence: string) => ({ sentence, waits: false });
  if (production?.version === version) return over(`${version} is in production already.`);
  if (record && record.promotions.length > 0) {
    return over(
      `${version} was in production before, and is not now: a person has to bring it back (promote-version: ${version}).`,
    );
  }
  const before = record?.judged;
  if (!before || !bySameRules(before, now)) return undefined;
  if (!before.passed) {
    return over(
      `${version} was refused before, on ${before.time.slice(0, 10)}, by the same rules: ${before.reasons.join(' ')} A person who decides otherwise can promote it (promote-version: ${version}).`,
    );
  }
  if (promotionWanted) return undefined;
  return { sentence: `${version} has passed, and waits for its promotion (promote-version: ${version}).`, waits: true };
}

/** All but what came of it, and when. */
function bySameRules(one: Judgement, other: Judgement): boolean {
  const rules = ({ time: _, passed: __, reasons: ___, compared: ____, ...rest }: Judgement) => rest;
  const [a, b] = [rules(one), rules(other)].map((set) => JSON.stringify(Object.entries(set).sort()));
  return a === b;
}
