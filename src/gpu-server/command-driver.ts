import { randomBytes } from 'node:crypto';
import { DiatomError } from '../errors.ts';
import type { ProgramResult } from '../runner/exec.ts';
import {
  armScript,
  EXIT,
  filesOf,
  filesOfName,
  namesScript,
  type Owner,
  parseStatus,
  startScript,
  statusScript,
  stopScript,
} from './command-script.ts';
import { type Driver, type ListedServer, type ServerState, type ServerStatus, ServerTaken } from './driver.ts';
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

/**
 * A status-command that asks for a name knows servers of several names: each training has its own. Any other knows one,
 * whatever start-command does.
 */
const ASKS_FOR_NAME = /\bDIATOM_SERVER_NAME\b/;

/** Stands in for the name of a server that nobody has written down. */
const NAMELESS = 'of an unknown run';

/** Anything that commands start and stop: a machine that is woken, an instance of a cloud, a container. */
export function openCommand(
  settings: CommandSettings & { readonly host: Host },
  { repository, temporary, limits }: Pick<DriverContext, 'repository' | 'temporary' | 'limits'>,
): Driver {
  const { startCommand, stopCommand, statusCommand, limit, isRemote, host } = settings;
  const isForOne = ASKS_FOR_NAME.test(statusCommand);
  const allFiles = filesOf(repository, stopCommand, isRemote ? undefined : temporary);
  const filesFor = (name: string | undefined) =>
    isForOne && name !== undefined ? filesOfName(allFiles, name) : allFiles;

  async function ask(name: string | undefined): Promise<{ status: ServerStatus; owner: Owner | undefined }> {
    const result = await host.run(statusScript(filesFor(name), statusCommand, name), { what: 'status-command' });
    const { said, owner } = parseStatus(result.stdout);
    const isAnothers = result.exitCode === EXIT.belongsToAnother;
    const state = isAnothers ? 'gone' : stateOf(said, result.exitCode);
    const detail = isAnothers
      ? 'another training has started it since'
      : state === 'unknown'
        ? `status-command ended with exit code ${result.exitCode} and printed “${excerpt(said || result.stderr)}”, expected “running” or “stopped”`
        : '';
    const runningSince = owner && !isAnothers ? new Date(owner.started * 1_000) : undefined;
    return { owner, status: { state, detail, runningSince, lastLines: async () => '' } };
  }

  async function listed(name: string | undefined): Promise<ListedServer[]> {
    const { status, owner } = await ask(name);
    const { state, detail } = status;
    // A timer that is still armed would end a machine that somebody has switched on since.
    if (state === 'gone' && owner === undefined) return [];
    // Only the timer's files say whose it is.
    const deadline = owner && new Date(owner.deadline * 1_000);
    return [{ name: owner?.name ?? name ?? NAMELESS, state, detail, deadline }];
  }

  async function names(): Promise<string[]> {
    // Without a machine that keeps the time, nobody has written them down.
    if (!isRemote) return [];
    const { exitCode, stdout, stderr } = await host.run(namesScript(allFiles), { what: 'a look at the timers' });
    if (exitCode === 0) return stdout.split('\n').filter((name) => name !== '');
    throw new DiatomError('SERVER', `Servers can’t be listed on ${host.description}: ${excerpt(stderr)}`);
  }

  return {
    description: `what start-command starts (on ${host.description})`,
    makesRunner: false,
    isForOne,
    deadMansSwitch: isRemote ? `a timer on ${host.description} runs stop-command` : limit || undefined,
    byHand: 'run stop-command yourself, or switch the machine off',
    whereToLook: 'ssh-host, stop-command and status-command: do they mean the machine with that runner?',
    cannotList:
      isForOne && !isRemote
        ? 'Nobody has written down which servers start-command has started (without ssh-host, and with a status-command that asks for $DIATOM_SERVER_NAME), so none can be found.'
        : undefined,
    async start({ name, maxMinutes }) {
      const files = filesFor(name);
      const seconds = maxMinutes * 60;
      const token = isRemote ? randomBytes(8).toString('hex') : undefined;
      if (token !== undefined) {
        const commands = { stop: stopCommand, status: statusCommand, limits };
        const arm = armScript(files, { token, name, seconds }, commands);
        const armed = await host.run(arm, { what: 'the timer' });
        if (armed.exitCode === EXIT.belongsToAnother) throw taken(host, armed);
        if (armed.exitCode !== 0) throw timerFailure(host, `it said: ${excerpt(armed.stderr) || 'nothing'}`);
      }
      const variables = { DIATOM_SERVER_NAME: name, DIATOM_MAX_SECONDS: String(Math.ceil(seconds)) };
      const started = await host.run(startScript(files, startCommand, variables, token), {
        what: 'start-command',
        limitMs: limits.startMs,
      });
      if (started.exitCode !== 0) throw startFailure(host, name, started);
    },
    status: async (name) => (await ask(name)).status,
    async stop(name) {
      const { exitCode, stdout, stderr } = await host.run(stopScript(filesFor(name), stopCommand, name), {
        what: 'stop-command',
        limitMs: limits.stopMs,
      });
      if (exitCode === 0 || exitCode === EXIT.belongsToAnother) return;
      throw new DiatomError(
        'SERVER',
        `stop-command failed on ${host.description} with exit code ${exitCode}: ${excerpt(stderr) || excerpt(stdout) || 'it said nothing'}`,
      );
    },
    async list(): Promise<readonly ListedServer[]> {
      if (!isForOne) return listed(undefined);
      const servers: ListedServer[] = [];
      for (const name of await names()) servers.push(...(await listed(name)));
      return servers;
    },
    close: () => host.close(),
  };
}

function stateOf(said: string, exitCode: number): ServerState {
  if (exitCode !== 0) return 'unknown';
  return said === 'running' ? 'running' : said === 'stopped' ? 'gone' : 'unknown';
}

function taken(host: Host, { stdout }: ProgramResult): ServerTaken {
  return new ServerTaken(
    `The server that start-command starts (on ${host.description}) is that of ${stdout.trim() || 'another training'}, and two trainings can’t use it at once: nothing was started. Let one come after the other: “max-parallel: 1” in the matrix of a run, one concurrency group for several workflows. If start-command makes a server of its own for each $DIATOM_SERVER_NAME, let status-command ask for that name as well.`,
  );
}

function startFailure(host: Host, name: string, result: ProgramResult): DiatomError {
  const { exitCode, stdout, stderr } = result;
  if (exitCode === EXIT.timerIsGone) {
    return timerFailure(
      host,
      'it ends what a session leaves running (KillUserProcesses of systemd-logind). “loginctl enable-linger”, as the user of ssh-user, changes that',
    );
  }
  if (exitCode === EXIT.belongsToAnother) return taken(host, result);
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
