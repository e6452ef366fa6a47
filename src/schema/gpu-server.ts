import { isNewEnough } from '../github/runner-software.ts';
import { folder, OWNCLOUD, PART, sha256 } from './common.ts';
import { DRIVER_INPUTS, DRIVER_NAMES } from './driver-inputs.ts';
import { gpuForm, typesFor } from './gpus.ts';
import { decimal, ofRun, secret, text, words } from './kinds.ts';

/** Five days: no job on a self-hosted runner may take longer. */
const MAX_HOURS = 120;
const MAX_MINUTES = 24 * 60;
const MAX_ANSWER_SECONDS = 3_600;

/** The inputs of gpu-server. */
export const GPU_SERVER = {
  ...PART,
  mode: ofRun(words(['start', 'stop', 'status', 'reap'])),
  driver: words(DRIVER_NAMES),
  key: ofRun(text()),
  // Not every cloud has all: what one has not, clashes with it.
  gpu: text({
    accepts: (value) => typesFor(value, 'ec2').length + typesFor(value, 'gce').length > 0,
    allowed: gpuForm('ec2', 'gce'),
  }),
  'max-hours': decimal(MAX_HOURS, '12'),
  'lifetime-hours': decimal(MAX_HOURS),
  'price-per-hour': decimal(10_000),
  'max-price': decimal(99_999),
  'monthly-budget': decimal(99_999),
  ...OWNCLOUD,
  'owncloud-folder': folder(),
  currency: text({ fallback: 'EUR', pattern: /^(?:[A-Za-z]{1,10}|\p{Sc})$/u, allowed: 'a currency such as EUR or €' }),
  'start-timeout-minutes': decimal(MAX_MINUTES, '30'),
  'stop-timeout-minutes': decimal(MAX_MINUTES, '15'),
  'answer-timeout-seconds': decimal(MAX_ANSWER_SECONDS, '120'),
  'pick-up-minutes': decimal(MAX_MINUTES, '15'),
  // Its default is in action.yml: only there it can be an expression.
  'github-token': ofRun(text()),
  'runner-token': secret('RUNNER_TOKEN'),
  'app-id': text(),
  'app-private-key': secret('RUNNER_APP_KEY'),
  'runner-scope': words(['repository', 'organization'], 'repository'),
  'runner-group': text(),
  'runner-labels': text({
    pattern: /^[\s,]*[\w.:/-]{1,100}(\s*[,\r\n]+\s*[\w.:/-]{1,100})*[\s,]*$/,
    allowed: 'labels of letters, digits, “-”, “_”, “.”, separated by commas',
    form: { list: ', ' },
  }),
  'runner-version': text({
    accepts: (value) => isNewEnough(value.replace(/^v/, '')),
    allowed: 'a version from 2.336.0 on: older ones don’t know “uses: $/…”',
  }),
  'runner-architecture': words(['x64', 'arm64'], 'x64'),
  'runner-sha256': sha256(),
  'runner-dir': text({
    pattern: /^\/[^\0\n\r]*$/,
    allowed: 'the absolute path of a folder on the server, such as /opt/actions-runner',
  }),
  'aws-sign-in': ofRun(words(['success', 'failure', 'cancelled', 'skipped'])),
  ...DRIVER_INPUTS,
};
