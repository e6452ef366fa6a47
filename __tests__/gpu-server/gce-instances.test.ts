import { expect, test } from 'vitest';
import { CloudError } from '../../src/gpu-server/cloud-tool.ts';
import type { Gcloud } from '../../src/gpu-server/gce-cli.ts';
import { description, findInstances } from '../../src/gpu-server/gce-instances.ts';

const ZONE = 'https://www.googleapis.com/compute/v1/projects/lab-diatoms/zones';
const WARNING = 'WARNING: Some requests did not succeed.\n - The scope is unreachable.\n';

function instance(name: string, status = 'RUNNING', zone = 'europe-west4-a') {
  const owner = { repository: 'example/diatoms', deadline: '2026-11-22T18:00:00.000Z' };
  return {
    ...{ name, status, zone: `${ZONE}/${zone}`, creationTimestamp: '2026-11-22T04:00:00.000-08:00' },
    description: description(owner),
  };
}

/** A `gcloud` that answers each list by its zone; `''` is the list of all zones. */
function answering(
  answers: Readonly<Record<string, { list?: readonly unknown[]; warnings?: string } | Error>>,
): Gcloud {
  const ask = async (_: string, args: readonly string[]) => {
    const answer = answers[args[0] === '--zones' ? (args[1] ?? '') : ''] ?? {};
    if (answer instanceof Error) throw answer;
    return { answer: JSON.stringify(answer.list ?? []), warnings: answer.warnings ?? '' };
  };
  return Object.assign(ask, { refusal: (_: string, said: string) => new CloudError(said.trim(), said) });
}

test.each([
  ['PROVISIONING', 'waiting'],
  ['STAGING', 'waiting'],
  ['RUNNING', 'running'],
  ['STOPPING', 'stopping'],
  // Its disk costs money.
  ['TERMINATED', 'running'],
  ['SUSPENDED', 'running'],
  ['SOMETHING_NEW', 'running'],
])('an instance that Google calls %s is %s', async (status, state) => {
  const { servers } = await findInstances(answering({ '': { list: [instance('diatom-1-1', status)] } }), []);
  expect(servers).toEqual([
    {
      ...{ id: 'diatom-1-1 in europe-west4-a', name: 'diatom-1-1', zone: 'europe-west4-a', state },
      ...{ detail: `diatom-1-1 in europe-west4-a is ${status}`, repository: 'example/diatoms' },
      isOff: status === 'TERMINATED',
      ...{ since: new Date('2026-11-22T12:00:00Z'), deadline: new Date('2026-11-22T18:00:00Z') },
    },
  ]);
});

test('instances of others are left alone, and one of ours without a readable description has no owner', async () => {
  const list = [
    { ...instance('web-1'), description: 'a web server' },
    { ...instance('diatom-2-1'), description: null },
  ];
  const { servers } = await findInstances(answering({ '': { list } }), []);
  expect(servers).toMatchObject([{ name: 'diatom-2-1', repository: undefined, deadline: undefined }]);
});

test('where Google does not see into all zones, those of the settings are asked for one by one, and decide', async () => {
  const here = instance('diatom-1-1', 'RUNNING', 'us-central1-a');
  const there = instance('diatom-1-1');
  const all = { list: [here], warnings: WARNING };
  const zones = ['europe-west4-a', 'europe-west4-b'];
  const whole = await findInstances(answering({ '': all, 'europe-west4-a': { list: [there] } }), zones);
  expect(whole.failure).toBeUndefined();
  expect(whole.servers.map(({ zone }) => zone)).toEqual(['us-central1-a', 'europe-west4-a']);

  for (const fault of [{ warnings: WARNING }, new CloudError('unreachable', 'The scope is unreachable.')]) {
    const part = await findInstances(answering({ '': all, 'europe-west4-b': fault }), zones);
    expect(part.failure?.message).toMatch(/unreachable/);
    expect(part.servers).toHaveLength(1);
  }
  expect((await findInstances(answering({ '': all }), [])).failure).toBeInstanceOf(CloudError);
});
