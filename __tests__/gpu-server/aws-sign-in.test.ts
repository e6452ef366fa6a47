import { expect, onTestFinished, test } from 'vitest';
import { startGpuServer } from '../helpers/gpu-server.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const SUBJECT = 'repo:lab@12/diatoms@34:ref:refs/heads/main';
const TOKEN = `e30.${Buffer.from(JSON.stringify({ sub: SUBJECT, aud: 'sts.amazonaws.com' })).toString('base64url')}.c2ln`;

/** A stand-in for GitHub’s issuer of identities. */
async function issuer(status = 200): Promise<Record<string, string>> {
  const server = await startServer((request, response) => {
    const isAsked =
      request.headers.authorization === 'Bearer ask' && request.url === '/id?x=1&audience=sts.amazonaws.com';
    response.writeHead(isAsked ? status : 400, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status === 200 ? { value: TOKEN } : { message: 'not today' }));
  });
  onTestFinished(() => server.close());
  return { ACTIONS_ID_TOKEN_REQUEST_URL: `${server.origin}/id?x=1`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'ask' };
}

function runWith(mode: string, env: Readonly<Record<string, string>>, outcome = 'failure') {
  const inputs = { mode, driver: 'ec2', 'ec2-regions': 'eu-central-1', 'aws-sign-in': outcome };
  return startGpuServer({
    inputs: {
      ...inputs,
      ...(mode === 'start' ? { 'ec2-launch-template': 'gpu', 'ec2-instance-types': 'g6.xlarge' } : {}),
    },
    workspace: temporaryFolder(),
    // No AWS CLI: nothing may be asked of AWS.
    env: { PATH: '/nowhere', ...env },
  }).result;
}

test.each(['start', 'stop', 'status', 'reap'])(
  '%s: a refused role is explained by the subject it has to trust',
  async (mode) => {
    const { exitCode, stdout, summary, state } = await runWith(mode, await issuer());
    expect(exitCode).toBe(1);
    const errors = stdout.split('\n').filter((line) => line.startsWith('::error::'));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(`GitHub introduces it with the subject “${SUBJECT}”`);
    expect(errors[0]).toContain('sts:AssumeRoleWithWebIdentity');
    expect(errors[0]?.includes('diatom-1-1 may still run and cost money')).toBe(mode === 'stop');
    expect(summary).toContain('repo:lab@12/diatoms@34');
    // The token itself is hidden, and nothing is left to a post step.
    expect(stdout.replace(`::add-mask::${TOKEN}`, '')).not.toContain(TOKEN);
    expect(state).toEqual({ unfinished: 'done' });
  },
);

test('without the permission, or an answer, it says that instead of a subject', async () => {
  const silent = { ACTIONS_ID_TOKEN_REQUEST_URL: '', ACTIONS_ID_TOKEN_REQUEST_TOKEN: '' };
  expect((await runWith('start', silent)).stdout).toContain('need the permission “id-token: write”');
  expect((await runWith('start', await issuer(403))).stdout).toContain('can’t be read at the moment');
});

test('what is no outcome of a step is refused', async () => {
  expect((await runWith('start', {}, 'perhaps')).stdout).toContain('Input aws-sign-in is “perhaps”');
});
