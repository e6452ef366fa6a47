import { dirname } from 'node:path';
import * as z from 'zod/mini';
import { throwIfCancelled, unlessCancelled } from '../errors.ts';
import { askCloud, type CallOptions, CloudError, hide, type Remedies, refusal } from './cloud-tool.ts';
import type { DriverContext } from './driver-context.ts';
import type { GceSettings } from './gce-inputs.ts';
import { inSecretFile } from './secret-file.ts';

/** Runs one command of the CLI below `gcloud compute`, such as `instances list`. A warning is not a failure. */
export interface Gcloud {
  (
    command: string,
    args: readonly string[],
    options?: CallOptions,
  ): Promise<{ readonly answer: string; readonly warnings: string }>;
  /** The error for what was said. */
  refusal(command: string, said: string): CloudError;
}

/**
 * The `gcloud` program (Google Cloud CLI). With credentials, it has a folder of its own for each call, and nothing of them is
 * anywhere else; without, it is signed in as the job’s own steps, or the runner’s machine, have it.
 *
 * A call throws CloudError with what to do about it, or DiatomError `CANCELLED`.
 */
export function openGcloud(
  { project, credentials }: Pick<GceSettings, 'project' | 'credentials'>,
  { signal, limits, temporary }: Pick<DriverContext, 'signal' | 'limits' | 'temporary'>,
): Gcloud {
  const refused = (command: string, said: string) =>
    refusal(`Google refuses “${command}” in the project ${project}`, said, gistOf(said), REMEDIES);
  const call = async (
    command: string,
    args: readonly string[],
    { secrets = [], finish = false }: CallOptions,
    signIn: Readonly<Record<string, string>> = {},
  ) => {
    const { exitCode, stdout, stderr } = await askCloud(
      'gcloud',
      ['compute', ...command.split(' '), ...args, '--project', project],
      { env: { ...ALONE, ...signIn }, signal, limitMs: limits.answerMs, finish },
      (why) => new CloudError(`${why} It was to ask Compute Engine about the project ${project} (${command}).`, ''),
    );
    // It quotes an answer that it does not understand, a token of Google’s in it.
    const said = hide(stderr, [...secrets, ...secretsOf(credentials)]).replaceAll(/\bya29\.[\w.-]+/g, '***');
    if (exitCode === 0) return { answer: stdout, warnings: said };
    throw refused(command, said);
  };
  const gcloud = async (command: string, args: readonly string[], options: CallOptions = {}) => {
    if (credentials === undefined) return call(command, args, options);
    if (!options.finish) throwIfCancelled(signal);
    // The folder is removed when the program has ended, and not while it may still write a token into it.
    const whole = inSecretFile(temporary, credentials, (file) =>
      call(command, args, { ...options, finish: true }, signInBy(file)),
    );
    return options.finish ? whole : unlessCancelled(whole, signal);
  };
  return Object.assign(gcloud, { refusal: refused });
}

const CREDENTIALS = z.object({
  private_key: z.optional(z.string()),
  credential_source: z.optional(z.object({ headers: z.record(z.string(), z.string()) })),
});

/** The file as a whole, and what a program could quote of it: a key, also as JSON writes it, and a token. */
function secretsOf(credentials: string | undefined): readonly string[] {
  if (credentials === undefined) return [];
  const { private_key: key = '', credential_source: source } = CREDENTIALS.parse(JSON.parse(credentials));
  const tokens = Object.values(source?.headers ?? {}).map((header) => header.replace(/^Bearer /, ''));
  return [credentials, key, JSON.stringify(key).slice(1, -1), ...tokens];
}

/** Asks nothing, writes no log of its arguments, and tells nobody that it was used. */
const ALONE = {
  CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
  CLOUDSDK_CORE_DISABLE_FILE_LOGGING: '1',
  CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: '1',
  CLOUDSDK_CORE_VERBOSITY: 'warning',
  CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: '1',
};

/** Nobody else who may be signed in on the runner: his account does not go with these credentials. */
function signInBy(file: string): Readonly<Record<string, string>> {
  return {
    CLOUDSDK_CONFIG: dirname(file),
    CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE: file,
    CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: '',
    CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT: '',
    CLOUDSDK_CORE_ACCOUNT: '',
    CLOUDSDK_CORE_CHECK_GCE_METADATA: 'false',
  };
}

/** What `gcloud` says beside advice for somebody at a terminal. */
function gistOf(said: string): string {
  const [, text = said] = /ERROR: (?:\(gcloud[^)]*\) )?([\s\S]*?)(?:\n\s*\n|\s*Please run:|$)/.exec(said) ?? [];
  return (
    text
      .replace(/^Could not fetch resource:/, '')
      .replaceAll(/\s+/g, ' ')
      .replace(/^ ?- /, '')
      .trim() || 'it says nothing'
  );
}

const REMEDIES: Remedies = [
  [
    /NameResolutionError|NewConnectionError|Max retries exceeded|Unable to find the server|Connection (refused|reset|aborted)/i,
    'It can’t be reached: check the network of this runner.',
  ],
  [
    /current auth tokens|active account|invalid authentication credentials|impersonated credentials|invalid_(grant|target|client)/i,
    'Nobody is signed in: check gce-workload-identity-provider and gce-service-account, or the secret GCE_KEY (docs/gpu-server-gce.md).',
  ],
  [
    /quota '?[\w-]*'? ?exceeded|quota_?exceeded/i,
    'A quota of your project is reached: ask Google for more (console, IAM & Admin, Quotas).',
  ],
  [
    /has not been used in project|it is disabled|accessNotConfigured/i,
    'Switch on the Compute Engine API in this project, or check gce-project.',
  ],
  [
    /Required '[^']*' permission|does not have .*permission|PERMISSION_DENIED|Error 403/i,
    'The account may not do that in this project: check gce-project, and the roles (docs/gpu-server-gce.md).',
  ],
  [
    /was not found|does not exist|Invalid value for field|Unknown zone/i,
    'Check the gce-… inputs against what is in this project.',
  ],
];
