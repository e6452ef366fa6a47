import { randomBytes } from 'node:crypto';
import { DiatomError } from '../errors.ts';
import type { ProgramResult } from '../runner/exec.ts';
import {
  armScript,
  EXIT,
  filesOf,
  type Owner,
  parseStatus,
  startScript,
  statusScript,
  stopScript,
} from './command-script.ts';
import type { Driver, ListedServer, ServerState, ServerStatus } from './driver.ts';
import type { DriverContext } from './driver-context.ts';
import type { Host } from './host.ts';

export interface CommandSettings {
  /** Shell text. It may be run twice. */
  readonly startCommand: string;
  readonly stopCommand: string;
  /** Prints `running` or `stopped`. */
  readonly statusCommand: string;
  /** What ends the server when nobody stops it, in the user's words; `''` when nothing does. */
  readonly limit: string;
  /** Whether the commands run on another machine, by ssh: one that stays, so that it can keep the time. */
  readonly isRemote: boolean;
}

/** Stands in for the name of a server that nobody has written down. */
const NAMELESS = 'of an unknown run';

/** Anything that commands start and stop: a machine that is woken, an instance of a cloud, a container. */
export function openCommand(
  settings: CommandSettings & { readonly host: Host },
  { repository, temporary }: Pick<DriverContext, 'repository' | 'temporary'>,
): Driver {
  const { startCommand, stopCommand, statusCommand, limit, isRemote, host } = settings;
  const files = filesOf(repository, stopCommand, isRemote ? undefined : temporary);
  const run = (script: string) => host.run('exec sh -s', { input: script });

  async function ask(name: string | undefined): Promise<{ status: ServerStatus; owner: Owner | undefined }> {
    const result = await run(statusScript(files, statusCommand, name));
    const { said, owner } = parseStatus(result.stdout);
    const isAnothers = result.exitCode === EXIT.belongsToAnother;
    const state = isAnothers ? 'gone' : stateOf(said, result.exitCode);
    const detail = isAnothers
      ? 'another run has started it since'
      : state === 'unknown'
        ? `status-command ended with exit code ${result.exitCode} and printed “${excerpt(said || result.stderr)}”, expected “running” or “stopped”`
        : '';
    const runningSince = owner ? new Date(owner.started * 1_000) : undefined;
    return { owner, status: { state, detail, runningSince, lastLines: async () => '' } };
  }

  return {
    description: `what start-command starts (on ${host.description})`,
    makesRunner: false,
    deadMansSwitch: isRemote ? `a timer on ${host.description} runs stop-command` : limit || undefined,
    async start({ name, maxMinutes }) {
      const seconds = maxMinutes * 60;
      const token = isRemote ? randomBytes(8).toString('hex') : undefined;
      if (token !== undefined) {
        const armed = await run(
          armScript(files, { token, name, seconds }, { stop: stopCommand, status: statusCommand }),
        );
        if (armed.exitCode !== 0) throw timerFailure(host, `it said: ${excerpt(armed.stderr) || 'nothing'}`);
      }
      const variables = { DIATOM_SERVER_NAME: name, DIATOM_MAX_SECONDS: String(Math.ceil(seconds)) };
      const started = await run(startScript(files, startCommand, variables, token));
      if (started.exitCode !== 0) throw startFailure(host, name, started);
    },
    status: async (name) => (await ask(name)).status,
    async stop(name) {
      const { exitCode, stdout, stderr } = await run(stopScript(files, stopCommand, name));
      if (exitCode === 0 || exitCode === EXIT.belongsToAnother) return;
      throw new DiatomError(
        'SERVER',
        `stop-command failed on ${host.description} with exit code ${exitCode}: ${excerpt(stderr) || excerpt(stdout) || 'it said nothing'}`,
      );
    },
    async list(): Promise<readonly ListedServer[]> {
      const { status, owner } = await ask(undefined);
      const { state, detail } = status;
      if (state === 'gone') return [];
      // Only the timer's files say whose it is.
      const deadline = owner && new Date(owner.deadline * 1_000);
      return [{ name: owner?.name ?? NAMELESS, state, detail, deadline }];
    },
  };
}

function stateOf(said: string, exitCode: number): ServerState {
  if (exitCode !== 0) return 'unknown';
  return said === 'running' ? 'running' : said === 'stopped' ? 'gone' : 'unknown';
}

function startFailure(host: Host, name: string, { exitCode, stdout, stderr }: ProgramResult): DiatomError {
  if (exitCode === EXIT.timerIsGone) {
    return timerFailure(
      host,
      'it ends what a session leaves running (KillUserProcesses of systemd-logind). “loginctl enable-linger”, as the user of ssh-user, changes that',
    );
  }
  if (exitCode === EXIT.belongsToAnother) {
    return new DiatomError(
      'SERVER',
      `Another run has started the server at the same time as ${name}. Put the workflows that use it into one concurrency group.`,
    );
  }
  if (exitCode === EXIT.wasStopped) {
    return new DiatomError('SERVER', `${name} was stopped before it had started.`);
  }
  return new DiatomError(
    'SERVER',
    `start-command failed on ${host.description} with exit code ${exitCode}: ${excerpt(stderr) || excerpt(stdout) || 'it said nothing'}`,
  );
}

function timerFailure(host: Host, why: string): DiatomError {
  return new DiatomError(
    'SERVER',
    `The timer that ends the server can’t be set on ${host.description}, so it was not started: ${why}.`,
  );
}

/** The last of what a command said: enough to see why it failed. */
function excerpt(text: string): string {
  return text.trim().slice(-600);
}
