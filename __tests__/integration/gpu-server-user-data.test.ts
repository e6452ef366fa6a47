import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { DiatomError } from '../../src/errors.ts';
import type { RunnerSetup } from '../../src/gpu-server/driver.ts';
import { CLOUD } from '../../src/gpu-server/ec2-ephemeral.ts';
import { userData } from '../../src/gpu-server/user-data.ts';
import { bootMachine, type Machine } from '../helpers/ec2-machine.ts';
import { failureOf } from '../helpers/failure.ts';
import { type GithubApi, startGithubApi } from '../helpers/github-api.ts';

const STAND_IN = { directory: join(import.meta.dirname, '../helpers/stand-in-runner') };
const NAME = 'diatom-1-1';
const HOURS = 720;
const SECONDS = 1 / 60;
/** As long as a machine may take here to come to a point; what waits for it fails then. */
const SOON = { timeout: 30_000 };

let api: GithubApi;
let machine: Machine | undefined;

beforeEach(async () => {
  api = await startGithubApi();
});

afterEach(async () => {
  await machine?.destroy();
  machine = undefined;
  await api.close();
});

describe('the limit of its life', () => {
  test('is armed before anything else, in whole minutes', async () => {
    const text = userData(setup(await register()), 12.2, CLOUD);
    expect(text.split('\n').slice(0, 2)).toEqual(['#!/bin/bash', "shutdown -P +13 'The time of this server is up.'"]);
    machine = bootMachine(text);
    await vi.waitFor(() => expect(machine?.log().length).toBeGreaterThan(1), SOON);
    expect(machine.log()[0]).toBe('shutdown -P +13 The time of this server is up.');
  });

  test('ends a machine whose runner works on', async () => {
    machine = bootMachine(userData(setup(await register()), 4 * SECONDS, CLOUD));
    api.giveJob(NAME);
    expect(await machine.isOff).toBe('shutdown');
    expect(machine.log()).toContain('shutdown -P now');
  });

  test('ends a machine on which “shutdown” does not work', async () => {
    machine = bootMachine(userData(setup(await register()), 4 * SECONDS, CLOUD), { broken: ['shutdown'] });
    expect(await machine.isOff).toBe('poweroff ');
  });

  test('ends a machine on which only the kernel is still well', async () => {
    machine = bootMachine(userData(setup(await register()), 4 * SECONDS, CLOUD), { broken: ['shutdown', 'poweroff'] });
    expect(await machine.isOff).toBe('the kernel: o');
  });

  test('ends a machine whose script was killed', async () => {
    machine = bootMachine(userData(setup(await register()), 6 * SECONDS, CLOUD));
    await vi.waitFor(() => expect(api.runnerNamed(NAME)?.status).toBe('online'), SOON);
    machine.killScript();
    expect(await machine.isOff).toBe('shutdown');
  });

  test('does not outlive a reboot: the machine then switches itself off', async () => {
    machine = bootMachine(userData(setup(await register()), HOURS, CLOUD));
    await vi.waitFor(() => expect(api.runnerNamed(NAME)?.status).toBe('online'), SOON);
    expect(machine.read('var/lib/cloud/scripts/per-boot/diatom-off')).toBe(
      '#!/bin/sh\nshutdown -P now || poweroff -f\n',
    );
  });
});

describe('the end of the runner', () => {
  test('ends the machine after the job', async () => {
    machine = bootMachine(userData(setup(await register()), HOURS, CLOUD));
    api.giveJob(NAME);
    await vi.waitFor(() => expect(api.runnerNamed(NAME)?.busy).toBe(true), SOON);
    expect(machine.log()).not.toContain('shutdown -P now');
    api.finishJob(NAME);
    expect(await machine.isOff).toBe('shutdown');
    expect(machine.console()).toContain('diatom: this server ends now (exit code 0).');
    expect(api.runnerNamed(NAME)).toBeUndefined();
  });

  test('ends the machine when no job comes', async () => {
    machine = bootMachine(userData(setup(await register(), 2 * SECONDS), HOURS, CLOUD));
    expect(await machine.isOff).toBe('shutdown');
    expect(machine.console()).toContain('No job came');
  });

  test('ends the machine when the runner can’t be downloaded', async () => {
    const runner = { ...setup(await register()), software: { directory: '/nowhere' } };
    machine = bootMachine(userData(runner, HOURS, CLOUD));
    expect(await machine.isOff).toBe('shutdown');
    expect(machine.console()).toContain('this server ends now (exit code 1)');
  });

  test.each(['useradd', 'getent', 'usermod', 'chown', 'runuser'])(
    'ends the machine when “%s” fails',
    async (program) => {
      machine = bootMachine(userData(setup(await register()), HOURS, CLOUD), { broken: [program] });
      expect(await machine.isOff).toBe('shutdown');
      expect(api.runnerNamed(NAME)?.status).toBe('offline');
    },
  );
});

test('the runner has a user of its own, who may use Docker where there is Docker', async () => {
  machine = bootMachine(userData(setup(await register()), HOURS, CLOUD));
  await vi.waitFor(() => expect(api.runnerNamed(NAME)?.status).toBe('online'), SOON);
  expect(machine.log()).toContain('usermod --append --groups docker diatom');
  expect(machine.log().find((line) => line.startsWith('runuser'))).toContain('runuser -u diatom --');
  await machine.destroy();
  machine = bootMachine(userData(setup(await register('diatom-1-2')), HOURS, CLOUD), { docker: false });
  await vi.waitFor(() => expect(api.runnerNamed('diatom-1-2')?.status).toBe('online'), SOON);
  expect(machine.log().join()).not.toContain('usermod');
});

test('the configuration of the runner is in no file of the machine once it is used, and never printed', async () => {
  const jitConfig = await register();
  machine = bootMachine(userData(setup(jitConfig), HOURS, CLOUD));
  await vi.waitFor(() => expect(api.runnerNamed(NAME)?.status).toBe('online'), SOON);
  const files = machine;
  expect(() => files.read('home/jit')).toThrow('ENOENT');
  expect(files.read('home/runner.sh')).not.toContain(jitConfig);
  expect(files.console()).not.toContain(jitConfig);
});

test('more than EC2 takes is refused, without repeating it', async () => {
  const failure = await failureOf(() => userData(setup('c2VjcmV0'.repeat(2_000)), HOURS, CLOUD));
  expect(failure).toBeInstanceOf(DiatomError);
  expect(failure.message).toMatch(/user data would have \d+ bytes, and EC2 takes 16384/);
  expect(failure.message).not.toContain('c2VjcmV0');
});

function setup(jitConfig: string, pickUpMinutes = 15): RunnerSetup {
  return { jitConfig, software: STAND_IN, pickUpMinutes };
}

/** @returns the configuration of a new runner */
async function register(name = NAME): Promise<string> {
  const answer = await fetch(`${api.url}/repos/example/diatoms/actions/runners/generate-jitconfig`, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.runnerToken}` },
    body: JSON.stringify({ name, runner_group_id: 1, labels: [name] }),
  });
  return z.object({ encoded_jit_config: z.string() }).parse(await answer.json()).encoded_jit_config;
}
