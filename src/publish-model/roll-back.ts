import { DiatomError } from '../errors.ts';
import type { Metrics } from '../model/metrics.ts';
import { METRICS_FILE, PRODUCTION, RECORD_FILE, VERSION_FILE } from '../model/model-folder.ts';
import { readText } from '../owncloud/read-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import {
  type Candidate,
  type Checks,
  checkCandidate,
  checkClasses,
  checkServing,
  classChange,
  type Rules,
  rulesFor,
} from './checks.ts';
import type { Context } from './context.ts';
import type { Inputs, RollBackTask } from './inputs.ts';
import { previousVersion, putIntoProduction } from './into-production.ts';
import { keepRecord } from './keep-record.ts';
import type { LockedFolder } from './locked-folder.ts';
import { describePlace, type Outcome } from './outcome.ts';
import type { PublishedModel } from './published-model.ts';
import { comparisonOf, readStoredVersion, type StoredVersion } from './stored-version.ts';
import { judgementOf, parseRecord, rulesOf } from './version-record.ts';

/**
 * Puts a version that is on the server into production: because a person names it, or when it passes its checks once more.
 * Its copy is compared with its SHA256SUMS by reading it back.
 *
 * @throws DiatomError `INPUT` when there is no such version, `MODEL` when it lacks something, `OWNCLOUD` when it is damaged
 */
export async function rollBack(
  inputs: Inputs,
  task: RollBackTask,
  place: LockedFolder,
  context: Context,
): Promise<Outcome> {
  const { folder, production } = place;
  const { input, allowClassChange } = task;
  const version = await versionToRollBackTo(task, place);
  const source = `${folder}/${version}`;
  const { classes, metrics, sha256, files } = await readStoredVersion(place, version, input);
  const rules = task.rules === 'as-stored' ? await storedRules(version, source, place) : task.rules;
  const comparison = rules && (await comparisonOf(version, place));
  const checks = rules
    ? checkOnceMore(version, { classes, metrics, comparison }, production, rules)
    : onlyWhatBreaks({ classes, metrics }, production, allowClassChange);
  const outcome: Outcome = {
    ...describePlace(inputs, place, version),
    kind: input === 'promote-version' ? 'promote' : 'roll-back',
    decidedBy: rules ? 'checks' : 'person',
    sha256,
    checks,
    model: metrics && { metrics, comparison },
    promotionWanted: true,
    classesDiffer: production !== undefined && classChange(classes, production) !== undefined,
  };
  context.onStored(outcome);
  if (rules) {
    const judged = judgementOf(checks, rules, production, context.now());
    await keepRecord(place, version, (record) => ({ ...record, judged }));
  }
  for (const { isWarning, passed, sentence } of checks.findings) if (isWarning && passed) context.onWarning(sentence);
  if (!checks.passed) return outcome;
  return { ...(await putIntoProduction(outcome, files, place, context)), mayTidy: true };
}

/** What is left to check when a person has decided. That nothing else loads the model is reported, and decided by then. */
function onlyWhatBreaks(
  { classes, metrics }: Pick<StoredVersion, 'classes' | 'metrics'>,
  production: PublishedModel | undefined,
  allowed: boolean,
): Checks {
  const finding = checkClasses(classes, production, allowed);
  const serving = checkServing(metrics, production).map((told) => ({ ...told, passed: true, isWarning: true }));
  return { verdicts: [], findings: [finding, ...serving], passed: finding.passed };
}

/**
 * Between a version's checks and its promotion may lie days, until somebody has agreed. Another model may be in production
 * by then: the class list is compared with that one's, and a comparison with the model before counts no longer.
 */
function checkOnceMore(
  version: string,
  { metrics, ...candidate }: Omit<Candidate, 'metrics'> & { readonly metrics: Metrics | undefined },
  production: PublishedModel | undefined,
  rules: Rules,
): Checks {
  if (metrics) return checkCandidate({ ...candidate, metrics }, production, rulesFor(version, production, rules));
  throw new DiatomError(
    'MODEL',
    `The version ${version} can’t be checked once more: it has no ${METRICS_FILE} that can be read. A person who decides without it can promote it with an empty check-again.`,
  );
}

/** The rules that a version was stored under, so that they need not be written down twice. */
async function storedRules(version: string, source: string, { remote, options }: LockedFolder): Promise<Rules> {
  const text = await readText(remote, remotePath(source, RECORD_FILE), options);
  const judged = text === undefined ? null : parseRecord(text, `${source}/${RECORD_FILE}`).judged;
  if (judged) return rulesOf(judged);
  throw new DiatomError(
    'MODEL',
    `The version ${version} can’t be checked once more as-stored: it has no ${RECORD_FILE} that says by which rules. Check it by new ones (check-again: anew), or promote it with an empty check-again, when a person has decided.`,
  );
}

async function versionToRollBackTo({ to, input }: RollBackTask, place: LockedFolder): Promise<string> {
  const { remote, folder, content } = place;
  const version = to === 'previous' ? await previousVersion(place) : to;
  if (version !== undefined && content.versions.includes(version)) return version;
  const there = `At ${remote.rootUrl.host} there are ${content.versions.join(', ') || 'no versions'}.`;
  if (version !== undefined) {
    const asked = to === 'previous' ? `the version before, ${version},` : `the version ${version}`;
    throw new DiatomError('INPUT', `Input ${input}: ${asked} is not in “${folder}”. ${there}`);
  }
  const [copy] = content.previous;
  const advice = copy
    ? `what was in production before has no ${VERSION_FILE} file; to put it back by hand, rename “${PRODUCTION}” to another name and “${copy}” to “${PRODUCTION}”`
    : 'production has replaced nothing so far';
  throw new DiatomError('INPUT', `Input ${input} is previous, but ${advice}. ${there}`);
}
