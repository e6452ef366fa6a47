import { writeFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFailed } from 'vitest';
import { runWorkflow, type WorkflowRun } from '../helpers/act.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
import { startArtifactServer } from '../helpers/artifact-server.ts';
import { pythonImage } from '../helpers/base-image.ts';
import { buildxPlugin } from '../helpers/buildkit-image.ts';
import { run } from '../helpers/commands.ts';
import { containersNamed, startDocker } from '../helpers/docker.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { SETTINGS_PATH, settingsFile, withInputs } from '../helpers/settings-file.ts';
import { type Collection, openCollection } from './collection.ts';

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates', 'workflows');
const IMAGE = 'lab/diatoms';
const APACHE_MODULES = '/usr/lib/apache2/modules';

/** A log of what is asked for, and a switch that makes the server answer as an ownCloud does whose account is full. */
const CONFIGURATION = `
LoadModule rewrite_module ${APACHE_MODULES}/mod_rewrite.so
CustomLog "@DIRECTORY@/../access.log" "%m %>s %B %U"
RewriteEngine On
RewriteCond "@DIRECTORY@/../full" -f
RewriteRule ^/dav/ - [C]
RewriteCond %{REQUEST_METHOD} =PUT
RewriteRule .* - [R=507]
`;

export interface Request {
  readonly method: string;
  readonly status: number;
  /** Of the answer. */
  readonly bytes: number;
  /** Path on the server, decoded. */
  readonly path: string;
}

export interface Start {
  /** Which template; `pipeline.yml` when nothing else is said. */
  readonly template?: string;
  /** What a person fills in to start the run. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** What a person has changed in the template below `with:`. */
  readonly given?: Readonly<Record<string, string>>;
  /** The artifact service refuses to take anything. */
  readonly artifactsRefused?: boolean;
  /** The account has no space left from the moment when the run says this. */
  readonly fullAfter?: RegExp;
}

export interface Month extends WorkflowRun {
  /** What the server was asked for meanwhile. */
  readonly requests: readonly Request[];
  /** Names of the artifacts that the run has left. */
  readonly artifacts: readonly string[];
}

/** A group with its zips and servers, and a repository with `model/` and the template. */
export interface Lab {
  readonly server: ApacheServer;
  readonly collection: Collection;
  /** The digest of the image in the registry that `latest` names. */
  imageDigest(): Promise<string | undefined>;
  start(options?: Start): Promise<Month>;
  close(): Promise<void>;
}

export async function openLab(): Promise<Lab> {
  const base = await mkdtemp(join(tmpdir(), 'year-'));
  await chmod(base, 0o755);
  const docker = await startDocker();
  const plugin = await buildxPlugin();
  const server = await startApache({ zips: base, configuration: CONFIGURATION });
  const registry = await startRegistry();
  const files = await repositoryFiles();
  const baseImage = await pushBaseImage(registry);
  const collection = openCollection(base);
  const state = join(server.directory, '..');
  const full = join(state, 'full');
  let runs = 0;

  async function requests(): Promise<Request[]> {
    const lines = (await readFile(join(state, 'access.log'), 'utf8')).trim().split('\n');
    return lines.map((line) => {
      const [, method = '', status, bytes, path = ''] = /^(\S+) (\d+) (\d+) (.*)$/.exec(line) ?? [];
      return { method, status: Number(status), bytes: Number(bytes), path };
    });
  }

  async function start({
    template = 'pipeline.yml',
    inputs = {},
    given = {},
    artifactsRefused,
    fullAfter,
  }: Start = {}) {
    const before = (await requests()).length;
    // The artifacts of one run are no other's.
    const { environment, artifacts } = await startArtifactServer({ refuse: artifactsRefused === true });
    // act gives all runs the same number unless it is told one.
    const GITHUB_RUN_ID = String(++runs);
    const text = await readFile(join(TEMPLATES, template), 'utf8');
    const settings = settingsFile({
      'owncloud.url': server.url,
      'owncloud.username': server.username,
      image: {
        registry: registry.host,
        username: registry.username,
        password: 'secret REGISTRY_PASSWORD',
        name: IMAGE,
        'build-args': { BASE_IMAGE: baseImage },
      },
      'train.gpus': 'none',
      'publish.gate': 'accuracy >= 0.5',
      // Of two models of nearly the same images, one may have an image or two less right by chance.
      'publish.margin': 0.06,
    });
    const result = await runWorkflow(withInputs(text, given), {
      inputs,
      files: { ...files, [SETTINGS_PATH]: settings },
      dockerPlugins: [plugin],
      secrets: {
        FILE_LIST: collection.fileList(server.zipsUrl),
        OWNCLOUD_PASSWORD: server.password,
        REGISTRY_PASSWORD: registry.password,
      },
      environment: { ...environment, GITHUB_RUN_ID },
      onOutput: (text) => {
        if (fullAfter?.test(text)) writeFileSync(full, '');
      },
    });
    await rm(full, { force: true });
    if (process.env['SHOW']) process.stdout.write(result.log);
    onTestFailed(() => console.log(`Run ${GITHUB_RUN_ID}:\n${result.log}`));
    for (const { password } of [server, registry]) expect(result.log).not.toContain(password);
    expect(result.log).not.toContain(server.zipsUrl);
    expect(result.leftovers).toEqual([]);
    expect(await containersNamed(`diatom-${GITHUB_RUN_ID}-`)).toEqual([]);
    return { ...result, requests: (await requests()).slice(before), artifacts: [...artifacts.keys()] };
  }

  return {
    server,
    collection,
    imageDigest: () => registry.digestOf(IMAGE, 'latest'),
    start,
    close: async () => {
      await removeImages(registry);
      await registry.close();
      await server.close();
      await docker.close();
      await rm(base, { recursive: true });
    },
  };
}

/** What the user's repository has beside the workflow: the programs that train and test. */
async function repositoryFiles(): Promise<Record<string, string>> {
  const folder = join(import.meta.dirname, 'model');
  const texts = (await readdir(folder)).map(
    async (name) => [`model/${name}`, await readFile(join(folder, name), 'utf8')] as const,
  );
  return Object.fromEntries(await Promise.all(texts));
}

/** Puts the image that all others are made from into the registry, where it has a digest. */
async function pushBaseImage({ host, username, password }: Registry): Promise<string> {
  const name = `${host}/base/python:1`;
  await run('docker', ['tag', await pythonImage(), name]);
  await run('docker', ['login', '--username', username, '--password', password, host]);
  try {
    await run('docker', ['push', '--quiet', name]);
  } finally {
    await run('docker', ['logout', host]);
  }
  return name;
}

/** Of the registry, from the engine. */
async function removeImages({ host }: Registry): Promise<void> {
  const images = await run('docker', ['images', '--format', '{{.Repository}}:{{.Tag}}']);
  const names = images.split('\n').filter((name) => name.startsWith(`${host}/`) && !name.endsWith(':<none>'));
  if (names.length > 0) await run('docker', ['image', 'rm', '--force', ...names]);
}
