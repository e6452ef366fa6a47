import type { Container } from './container.ts';

/** An image that is on this machine. */
export interface PreparedImage {
  /** What `Container.image` takes; it stands for this very image, even if its tag moves on. */
  readonly reference: string;
  /** `sha256:…`; `undefined` for an image that never was in a registry. */
  readonly digest: string | undefined;
}

export interface RegistryAccount {
  readonly username: string;
  readonly password: string;
}

/** How a container ended. */
export interface Ended {
  readonly exitCode: number;
  /** Whether the system ended it because its memory was used up. */
  readonly outOfMemory: boolean;
  /** The last that it, or the engine, printed to its standard error. */
  readonly stderr: string;
}

/** What runs containers. Errors are DiatomErrors `CONTAINER`. */
export interface Engine {
  /** Whose files a container writes, when they are not the runner's own: given before, taken back after. */
  readonly foreignOwner: { readonly uid: number; readonly gid: number } | undefined;
  /** Gets an image; the registry's password is gone from this machine afterwards. */
  prepareImage(image: string, account: RegistryAccount | undefined, signal: AbortSignal): Promise<PreparedImage>;
  /**
   * Runs a container to its end, shows what it prints, and removes it whatever happens. When the signal is aborted it is
   * asked to stop (SIGTERM), and ended after `graceSeconds()`.
   */
  run(container: Container, options: RunOptions): Promise<Ended>;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  /** How long a container may take to stop, asked when it has to. */
  readonly graceSeconds: () => number;
}
