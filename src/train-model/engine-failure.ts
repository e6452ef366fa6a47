import { hostname } from 'node:os';
import { DiatomError, systemCodeOf } from '../errors.ts';

type EngineName = 'docker' | 'podman' | 'apptainer';

/** Puts what can be said about a failure of an engine before the engine's own words. */
const REASONS: readonly (readonly [pattern: RegExp, sentence: (engine: EngineName) => string])[] = [
  [
    /container-init binary not found|catatonit: no such file/i,
    () =>
      'it lacks the program catatonit, by which a container is asked to stop in time to save its state. Install it (sudo apt-get install catatonit, or sudo dnf install catatonit).',
  ],
  [
    /CDI device/i,
    () =>
      'podman knows no such GPU here: it has GPUs from a description that the NVIDIA container toolkit writes. Install driver and toolkit, then write it (sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml), once more after each update of the driver; nvidia-ctk cdi list names what there is. Or set gpus: none to train on the CPU.',
  ],
  [
    /setting rlimit/i,
    () =>
      'podman may not set the limits that it gives to containers. Write lower ones into /etc/containers/containers.conf: [containers] default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"].',
  ],
  [
    /short-name|no unqualified-search registries/i,
    () => 'podman has no default registry: write the image with its own, such as docker.io/lab/diatoms:v3.',
  ],
  [
    /could not select device driver|nvidia-container-cli|nvidia\.com\/gpu|libnvidia-ml|no NVIDIA/i,
    (engine) =>
      `${engine} can give the container no GPU here: it has no GPU runtime. Install the NVIDIA driver and the NVIDIA container toolkit on the runner, or set gpus: none to train on the CPU.`,
  ],
  [
    /permission denied.*(docker|podman)\.sock|(docker|podman)\.sock.*permission denied|permission denied while trying to connect/is,
    () =>
      'this user may not use Docker. Add it to the group “docker” (sudo usermod -aG docker <user>) and restart the runner, or set engine: podman.',
  ],
  [
    /cannot connect to the docker daemon|is the docker daemon running|docker daemon is not running/i,
    () => 'Docker’s service does not run, or not where DOCKER_HOST says. Start it (sudo systemctl start docker).',
  ],
  [
    /unauthorized|authentication required|no basic auth credentials|access denied|denied: |incorrect username or password|invalid username.password|403 Forbidden/i,
    () =>
      'the registry refuses: the image is private or misspelt, or the account may not read it. Check image, registry-username and registry-password (GitHub’s own registry: the token needs packages: read).',
  ],
  [
    /manifest unknown|name unknown|not found|no such image|does not exist|reference does not exist/i,
    () => 'there is no such image: check its name and tag, and that it was pushed.',
  ],
  [
    /no such host|i\/o timeout|connection refused|connection reset|tls: |x509|context deadline|temporary failure/i,
    () =>
      'its registry can’t be reached from this runner: check the image’s name, the network and the proxy of the engine.',
  ],
  [
    /no space left|disk quota/i,
    (engine) =>
      `the disk is full. Free some space (${engine === 'apptainer' ? 'apptainer cache clean' : `${engine} system prune`}), or use a larger disk.`,
  ],
  [
    /invalid reference format|invalid image/i,
    () => 'that is not the name of an image; write it as ghcr.io/lab/diatoms:v3.',
  ],
  [
    /bind source path does not exist|mounts denied|statfs .* no such file/i,
    (engine) =>
      `${engine} does not see this runner’s folders: it runs on another machine, or in another container. Runner and engine have to share the work folder under the same path.`,
  ],
];

/**
 * A failure of an engine as a sentence.
 *
 * @param what completes “docker could not …”
 * @param words what the engine printed; its last lines are quoted
 */
export function engineFailure(engine: EngineName, what: string, words: string): DiatomError {
  const reason = REASONS.find(([pattern]) => pattern.test(words))?.[1](engine);
  const quoted = lastLines(words);
  const said = quoted === '' ? '' : ` It says: “${quoted}”.`;
  return new DiatomError(
    'CONTAINER',
    `${engine} could not ${what}${reason === undefined ? '.' : `: ${reason}`}${said}`,
  );
}

/** A program that can't be started at all. */
export function missingEngine(engine: EngineName, error: unknown): unknown {
  const code = systemCodeOf(error);
  if (code !== 'ENOENT' && code !== 'EACCES') return error;
  return new DiatomError(
    'CONTAINER',
    `The program “${engine}” is not on this runner (${hostname()}): install it, put it on the PATH, or choose another engine (input engine: docker, podman or apptainer).`,
    { cause: error },
  );
}

/** At most three lines and 600 characters: enough for a reason. */
export function lastLines(words: string): string {
  const lines = words
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^See '|^Run '/.test(line));
  return lines.slice(-3).join(' ').slice(-600);
}
