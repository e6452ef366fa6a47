import { ROLE_ARN } from './common.ts';
import { described, ofRun, secret, text, whole } from './kinds.ts';

/** For a job of a workflow. */
export const JOB = {
  'job-timeout-minutes': described('After how many minutes the job is given up.', whole(1, 7_200)),
};

/** In every part that can change a result: the commit of the file that it comes from. */
const COMMIT = { 'settings-commit': ofRun(text({ pattern: /^[0-9a-f]{40,64}$/, allowed: 'a commit' })) };

/** What stands in a part besides inputs of the action that takes it: most of it is for the workflow around. */
export const BESIDE_INPUTS = {
  'prepare-data': { ...JOB, ...COMMIT },
  'train-model': {
    ...COMMIT,
    retries: described(
      'How often a training goes on from its checkpoint on a new GPU server when its server is lost or its time is up, `0` to `3`. Default: `0`.',
      whole(0, 3),
    ),
  },
  'gpu-server': {
    'aws-region': described(
      'For `ec2`, the region to sign in to, such as `eu-central-1`.',
      text({ pattern: /^[a-z]{2,}(?:-[a-z]+)+-\d+$/, allowed: 'a region such as eu-central-1' }),
    ),
    'aws-role': described(
      'For `ec2`, ARN of the role that a run takes on.',
      text({
        pattern: ROLE_ARN,
        allowed: 'the ARN of a role, such as arn:aws:iam::123456789012:role/diatoms',
      }),
    ),
    'aws-access-key-id': described('For `ec2` without `aws-role`.', secret('AWS_ACCESS_KEY_ID')),
    'aws-secret-access-key': described('For `ec2` without `aws-role`.', secret('AWS_SECRET_ACCESS_KEY')),
  },
  'publish-model': {
    ...JOB,
    ...COMMIT,
    environment: described('The GitHub environment whose reviewers have to agree to a promotion.', text()),
  },
};
