import { DiatomError } from '../errors.ts';
import type { Identity } from '../runner/identity.ts';
import type { Inputs } from './inputs.ts';

/** To whom GitHub introduces a job that takes a role at Amazon. */
export const AWS_AUDIENCE = 'sts.amazonaws.com';

/** Why nobody is signed in to AWS when the step for it has failed: mostly the role trusts another subject. */
export function signInFailure({ mode, name }: Pick<Inputs, 'mode' | 'name'>, identity: Identity): DiatomError {
  const atStake = mode === 'stop' ? `${name} may still run and cost money, until its own limit ends it: ` : '';
  return new DiatomError(
    'SERVER',
    `${atStake}nobody is signed in to AWS, because the step for that has failed. Its log has AWS’s own words. Where these are “Not authorized to perform sts:AssumeRoleWithWebIdentity”, the role (aws-role) does not trust this job. ${advice(identity)} See docs/gpu-server-ec2.md, “A role for GitHub”.`,
  );
}

function advice(identity: Identity): string {
  if ('subject' in identity) {
    return `GitHub introduces it with the subject “${identity.subject}” and the audience “${identity.audience}”: in the role’s trust policy, token.actions.githubusercontent.com:sub must be exactly this subject, in the form with numbers if it has them, and :aud this audience; and the role must exist in the account of its ARN.`;
  }
  return identity.refusal === ''
    ? 'GitHub does not introduce it to anybody: the job, and the one that calls its workflow, need the permission “id-token: write”.'
    : `What GitHub says about it can’t be read at the moment (${identity.refusal}).`;
}
