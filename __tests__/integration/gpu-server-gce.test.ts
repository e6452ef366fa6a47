import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Driver } from '../../src/gpu-server/driver.ts';
import { openGce } from '../../src/gpu-server/gce-driver.ts';
import { gceInputs } from '../../src/gpu-server/gce-inputs.ts';
import { run } from '../helpers/commands.ts';
import { failureOf } from '../helpers/failure.ts';
import { type GceCloud, startGce } from '../helpers/gce.ts';
import { startGoogleSignIn } from '../helpers/google-sign-in.ts';
import { setEnvironment, setInputs, temporaryFolder } from '../helpers/runner.ts';

const STAND_IN = join(import.meta.dirname, '../helpers/stand-in-runner');
const [NAME, REPOSITORY, JIT] = ['diatom-900-1-lake', 'example/Diatoms_2', 'anVzdC1pbi10aW1lLWNvbmZpZ3VyYXRpb24'];

let cloud: GceCloud;
beforeAll(async () => {
  cloud = await startGce();
});
afterEach(() => cloud.reset());
afterAll(() => cloud?.close());

function open(inputs: Readonly<Record<string, string>> = {}) {
  setEnvironment(cloud.env);
  setInputs({ mode: 'start', 'gce-market': 'on-demand', 'gce-external-ip': 'true', ...cloud.inputs, ...inputs });
  const temporary = temporaryFolder();
  const limits = { answerMs: 60_000, stopMs: 60_000, startMs: 60_000 };
  const context = { env: process.env, repository: REPOSITORY, limits, temporary, signal: new AbortController().signal };
  return { temporary, driver: openGce(gceInputs(), { ...context, onWarning: () => {} }) };
}

function start(driver: Driver): Promise<void> {
  const runner = { jitConfig: JIT, software: { directory: STAND_IN }, pickUpMinutes: 15 };
  return driver.start({ name: NAME, repository: REPOSITORY, maxMinutes: 90, runner });
}

test('a server is made with its deadline at Google, found by its name, deleted by a stop, and no secret stands in an argument or a file', async () => {
  const { driver, temporary } = open({ 'gce-market': 'spot', 'gce-disk-gb': '150', 'gce-external-ip': 'false' });
  let processes = '';
  cloud.onInstance(async (_, what) => {
    if (what === 'made') processes = await run('ps', ['-eww', '-o', 'args']);
  });
  await start(driver);
  const [instance] = cloud.instances.values();
  expect(instance).toMatchObject({
    ...{ name: NAME, zone: 'europe-west4-a', machineType: 'g2-standard-4', market: 'SPOT', status: 'RUNNING' },
    asked: {
      scheduling: {
        maxRunDuration: { seconds: 5_400 },
        instanceTerminationAction: 'DELETE',
        automaticRestart: false,
      },
      disks: [{ autoDelete: true, initializeParams: { diskSizeGb: '150' } }],
      networkInterfaces: [expect.not.objectContaining({ accessConfigs: expect.anything() })],
      serviceAccounts: [
        {
          email: cloud.inputs['gce-delete-account'],
          scopes: ['https://www.googleapis.com/auth/compute'],
        },
      ],
    },
  });
  expect(instance?.script).toContain(JIT);
  expect(processes).toContain('instances create');
  expect(processes).not.toContain(JIT);
  expect(processes).not.toContain('PRIVATE KEY');
  expect(readdirSync(temporary)).toEqual([]);

  const [listed] = await driver.list();
  expect(listed).toMatchObject({ name: NAME, state: 'running', detail: `${NAME} in europe-west4-a is RUNNING` });
  expect(Math.abs((listed?.deadline?.getTime() ?? 0) - Date.now() - 90 * 60_000)).toBeLessThan(60_000);
  expect(await (await driver.status(NAME)).lastLines()).toBe(`login: of ${NAME}`);

  await driver.stop(NAME);
  expect(await driver.status(NAME)).toMatchObject({ state: 'gone', detail: '' });
});

test('of a project that nobody may see, no server is taken for gone', async () => {
  const { driver } = open({ 'gce-project': 'another-project' });
  const error = await failureOf(driver.status(NAME));
  expect(error).toMatchObject({ code: 'SERVER' });
  expect(error.message).toMatch(
    /Google refuses “instances list” in the project another-project: .*Required 'compute.instances.list' permission.*check gce-project/,
  );
});

test('a job signs in by what GitHub says about it: gcloud takes our file, and nobody is asked for more', async () => {
  const google = await startGoogleSignIn(cloud.makeToken());
  setEnvironment(google.env);
  const provider = 'projects/123456789012/locations/global/workloadIdentityPools/github/providers/diatoms';
  const account = 'gpu@lab-diatoms.iam.gserviceaccount.com';
  const signIn = { 'gce-workload-identity-provider': provider, 'gce-service-account': account };
  const { driver, temporary } = open({ 'gce-key': '', ...signIn });
  expect(await driver.list()).toEqual([]);
  await google.close();
  expect(readdirSync(temporary)).toEqual([]);
  const audience = encodeURIComponent(`https://iam.googleapis.com/${provider}`);
  const [github, sts, credentials] = google.asked;
  expect(github).toMatchObject({
    where: `github/identity?api-version=2.0&audience=${audience}`,
    authorization: 'Bearer request-token',
  });
  expect(sts?.where).toBe('sts.googleapis.com/v1/token');
  expect(Object.fromEntries(new URLSearchParams(sts?.body))).toMatchObject({
    audience: `//iam.googleapis.com/${provider}`,
    subject_token: 'github-says-so',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  });
  expect(credentials).toMatchObject({
    where: `iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${account}:generateAccessToken`,
    authorization: 'Bearer federated',
  });
});
