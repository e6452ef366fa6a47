import { DiatomError } from '../errors.ts';
import { PRODUCTION, VERSION_FILE } from '../model/model-folder.ts';
import { bringIn, previousVersion, tidied } from './bring-in.ts';
import { checkClasses, classChange } from './checks.ts';
import type { Inputs, RollBackTask } from './inputs.ts';
import { describePlace, type Outcome } from './outcome.ts';
import { readStoredVersion } from './stored-version.ts';
import type { Context, Workplace } from './workplace.ts';

/**
 * Puts a version that is on the server into production; its copy is compared with its SHA256SUMS by reading it back.
 *
 * @throws DiatomError `INPUT` when there is no such version, `MODEL` when it lacks something, `OWNCLOUD` when it is damaged
 */
export async function rollBack(
  inputs: Inputs,
  task: RollBackTask,
  place: Workplace,
  context: Context,
): Promise<Outcome> {
  const { production } = place;
  const version = await versionToRollBackTo(task, place);
  const { classes, metrics, sha256, files } = await readStoredVersion(place, version, 'roll-back-to');
  const finding = checkClasses(classes, production, task.allowClassChange);
  const outcome: Outcome = {
    ...describePlace(inputs, place, version),
    kind: 'roll-back',
    sha256,
    checks: { verdicts: [], findings: [finding], passed: finding.passed },
    model: metrics && { metrics, comparison: undefined },
    promotionWanted: true,
    classesDiffer: production !== undefined && classChange(classes, production) !== undefined,
  };
  context.onStored(outcome);
  if (!finding.passed) return outcome;
  return tidied(await bringIn(outcome, files, place, context), inputs, place);
}

async function versionToRollBackTo({ to }: RollBackTask, place: Workplace): Promise<string> {
  const { remote, folder, content } = place;
  const version = to === 'previous' ? await previousVersion(place) : to;
  if (version !== undefined && content.versions.includes(version)) return version;
  const there = `At ${remote.rootUrl.host} there are ${content.versions.join(', ') || 'no versions'}.`;
  if (version !== undefined) {
    const asked = to === 'previous' ? `the version before, ${version},` : `the version ${version}`;
    throw new DiatomError('INPUT', `Input roll-back-to: ${asked} is not in “${folder}”. ${there}`);
  }
  const [copy] = content.previous;
  const advice = copy
    ? `what was in production before has no ${VERSION_FILE} file; to put it back by hand, rename “${PRODUCTION}” to another name and “${copy}” to “${PRODUCTION}”`
    : 'production has replaced nothing so far';
  throw new DiatomError('INPUT', `Input roll-back-to is previous, but ${advice}. ${there}`);
}
