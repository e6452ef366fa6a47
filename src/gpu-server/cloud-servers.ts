import type { ListedServer, ServerState, ServerStatus } from './driver.ts';

/** A server that is made for one training, as a cloud lists it. */
export interface CloudServer extends ListedServer {
  readonly id: string;
  /** Since when it costs money. */
  readonly since: Date | undefined;
  /** It has been switched off, and still costs, its disk at least. */
  readonly isOff: boolean;
}

/** The most alive one counts, should there be several of a name. */
const BY_LIVELINESS: readonly ServerState[] = ['running', 'waiting', 'unknown', 'stopping', 'gone'];

export function mostAlive(states: readonly ServerState[]): ServerState {
  return BY_LIVELINESS.find((candidate) => states.includes(candidate)) ?? 'gone';
}

/** @param lastLines of its console */
export function statusOf<Server extends CloudServer>(
  servers: readonly Server[],
  lastLines: (server: Server) => Promise<string>,
): ServerStatus {
  const state = mostAlive(servers.map((server) => server.state));
  const server = servers.find((candidate) => candidate.state === state);
  return {
    state,
    detail: servers.map(({ detail }) => detail).join('; '),
    lastLines: async () => (server === undefined ? '' : await lastLines(server)),
    isOff: server !== undefined && servers.every((one) => one.isOff || one.state !== state),
    runningSince: state === 'gone' ? undefined : server?.since,
  };
}

/** A time that is written on a server; `undefined` for a text that is not a time. */
export function timeOf(text: string | undefined): Date | undefined {
  const time = new Date(text ?? '');
  return Number.isNaN(time.getTime()) ? undefined : time;
}
