import { DiatomError } from '../errors.ts';

/**
 * There is a server already that this start may not have: another training's. Nothing that this start finds is its own,
 * so nothing may be cleaned up.
 */
export class ServerTaken extends DiatomError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('SERVER', message, options);
    this.name = 'ServerTaken';
  }
}

/**
 * What starts and stops one kind of GPU server. A driver only does and reports: retrying, waiting until a server is
 * gone, deciding what may be reaped and talking to GitHub are the same for all of them, and stand above.
 *
 * Every method may be called by another process than the one that started the server, on another machine, with nothing
 * but the inputs and the server's name: a run that was killed has no outputs.
 *
 * Errors are DiatomErrors `SERVER` (or `INPUT`), with what to do by hand.
 */
export interface Driver {
  /** What the server is and where it runs, for the log: “an EC2 instance in eu-central-1 or eu-west-1”. */
  readonly description: string;
  /** Whether a start makes a runner of its own, which is gone with the server; otherwise the server has one for good. */
  readonly makesRunner: boolean;
  /** Whether each training has a server of its own, so that its jobs must come to this one: by its name as a label. */
  readonly isForOne: boolean;
  /**
   * What ends the server when nobody stops it; `undefined` when nothing does, of which the user is warned. A sentence's
   * part: “Slurm ends the job (--time)”.
   */
  readonly deadMansSwitch: string | undefined;
  /** What a person does to end it, when a stop fails. Follows “Please ”. */
  readonly byHand: string;
  /** Which inputs say where it is: one that is started with some can’t be found with others. Follows “Check ”. */
  readonly whereToLook: string;
  /** Nothing is started, stopped or paid by the hour. */
  readonly isAlwaysOn?: true;
  /** Why an empty list does not mean that there is no server; left out where it does. A sentence. */
  readonly cannotList?: string | undefined;
  /**
   * What a start may take, and what each costs an hour in USD, as the cloud itself says; left out where it says nothing.
   * A start takes none for more than `mostPerHour`, and none whose price is not known when that is set.
   */
  prices?(): Promise<readonly Price[]>;
  /**
   * Starts the server and returns when the request for it is accepted, not when the runner is online. The limit of its
   * life is armed with the request, or before it. Starting a second time under the same name never makes a second one.
   *
   * @throws ServerTaken when the server is another training's
   */
  start(request: StartRequest): Promise<void>;
  status(name: string): Promise<ServerStatus>;
  /** Asks for the end of everything that carries the name. Nothing of that name is fine. Returns without waiting. */
  stop(name: string): Promise<void>;
  /**
   * Every server of this repository that is not gone, and such as are gone whose end is still set for a certain time: what
   * somebody switches on by hand would be ended, too. A driver that can't tell has an empty list, and
   * says so in `cannotList`.
   */
  list(): Promise<readonly ListedServer[]>;
  /** Removes what it needed on this machine. */
  close(): Promise<void>;
}

export interface Price {
  /** “g6.xlarge, spot, in eu-central-1”. */
  readonly what: string;
  /** `undefined` when it is not known. */
  readonly perHour: number | undefined;
}

export interface StartRequest {
  /** `diatom-<run id>-<attempt>-<key>`, which stands on everything that is created. */
  readonly name: string;
  /** `owner/name`: whose run it is. */
  readonly repository: string;
  /** How long the server may live, in minutes, whatever happens. */
  readonly maxMinutes: number;
  /** In USD, by the driver's `prices`; left out when nobody asked for them. */
  readonly mostPerHour?: number | undefined;
  /** `undefined` when the server has a runner of its own. */
  readonly runner: RunnerSetup | undefined;
}

/** The runner that the server starts, for one job. */
export interface RunnerSetup {
  /** A secret: whoever has it takes the job. It works once. */
  readonly jitConfig: string;
  readonly software: RunnerSoftware;
  /** The server ends itself when it got no job for so many minutes. */
  readonly pickUpMinutes: number;
}

/** Where the runner's programs come from: an address with the sum to check, or a folder where they are installed. */
export type RunnerSoftware =
  | { readonly url: string; readonly sha256: string; readonly version: string }
  | { readonly directory: string };

/**
 * - `waiting`  asked for, and not there yet: it queues, or boots
 * - `running`  costs money
 * - `stopping` on its way out
 * - `gone`     costs nothing
 * - `unknown`  nobody can say; treated as if it ran
 */
export type ServerState = 'waiting' | 'running' | 'stopping' | 'gone' | 'unknown';

export interface ServerStatus {
  readonly state: ServerState;
  /** What a person would want to know: an instance’s id and zone, a job’s number and why it waits. `''` for nothing: of one that is `gone`, that it never existed. */
  readonly detail: string;
  /** The last lines of its console or log, where the driver can get them; `''` otherwise. Asked only when a start fails. */
  lastLines(): Promise<string>;
  /** It has been switched off, whatever it still costs: its runner will not come any more. */
  readonly isOff?: boolean | undefined;
  /** Since when it costs money, or did until a moment ago, as far as the driver knows. */
  readonly runningSince: Date | undefined;
  /** What it costs an hour, in USD, when that was asked for at its start. */
  readonly pricePerHour?: number | undefined;
}

/** A server found by its name or tag. */
export interface ListedServer {
  readonly name: string;
  readonly state: ServerState;
  readonly detail: string;
  /** When its life ends by itself at the latest; `undefined` when the driver does not know. */
  readonly deadline: Date | undefined;
}
