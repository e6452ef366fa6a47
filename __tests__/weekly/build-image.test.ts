import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACTION, type RunOptions, runWorkflow } from '../helpers/act.ts';
import { type Authority, makeAuthority } from '../helpers/authority.ts';
import { buildxPlugin, makeBuildkitImage } from '../helpers/buildkit-image.ts';
import { requireRoot, run } from '../helpers/commands.ts';
import { type DockerEngine, makeSmallImage, startDocker } from '../helpers/docker.ts';
import { type LoopbackServer, startServer } from '../helpers/loopback-server.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { SETTINGS_PATH } from '../helpers/settings-file.ts';
import { stepsOf, workflowFiles } from '../helpers/workflow-files.ts';

/** Docker’s own actions, each as `owner/name@commit`. */
const ACTIONS = process.env['DIATOM_TEST_ACTIONS'] || join(cacheFolder(), 'diatom-actions', 'actions');

const IMAGE = 'lab/diatoms';

/** Makes a list of no software at all, in the place of Docker’s scanner, which is not available everywhere. */
const SCANNER = `#!/bin/sh
cat >"$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json" <<'END'
{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document",
 "predicate": {"SPDXID": "SPDXRef-DOCUMENT", "spdxVersion": "SPDX-2.3", "name": "nothing"}}
END
`;

const MODEL = {
  'model/Dockerfile': 'ARG BASE_IMAGE\nFROM $BASE_IMAGE\nCOPY *.py /opt/\nRUN cat /opt/train.py >/opt/copy.py\n',
  'model/.dockerignore': 'README.md\n',
  'model/README.md': 'What this is.\n',
  'model/train.py': 'print("one")\n',
};

let docker: DockerEngine;
let authority: Authority;
let registry: Registry;
let plugin: string;
/** In the place of GitHub’s API, of which docker/metadata-action asks for the default branch. */
let api: LoopbackServer;

/** What the engine knows of the registry. */
const trusted = () => join('/etc/docker/certs.d', registry.host);

beforeAll(async () => {
  // The folder where an engine looks for the authorities of registries is root’s.
  requireRoot();
  plugin = await buildxPlugin();
  expectRealActions();
  docker = await startDocker();
  api = await startServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ default_branch: 'main' }));
  });
  authority = await makeAuthority();
  registry = await startRegistry({ address: ownAddress(), authority });
  await makeSmallImage(named('base:1'));
  await makeBuildkitImage(named('mirror/buildkit:1'));
  const write = `printf '%s' "$SCANNER" >/bin/scan && chmod 755 /bin/scan`;
  await makeChild(named('mirror/scanner:1'), write, ['ENTRYPOINT ["/bin/scan"]', 'CMD []']);
  await pushAll('base:1', 'mirror/buildkit:1', 'mirror/scanner:1');
});

afterAll(async () => {
  if (registry) {
    await rm(trusted(), { recursive: true, force: true });
    const images = await run('docker', ['images', '--format', '{{.Repository}}:{{.Tag}}']);
    const ours = images
      .split('\n')
      .filter((image) => image.startsWith(`${registry.host}/`) && !image.endsWith('<none>'));
    if (ours.length > 0) await run('docker', ['image', 'rm', '--force', ...ours]);
  }
  await registry?.close();
  await authority?.close();
  await api?.close();
  await docker?.close();
});

/** This machine’s, which containers reach as well. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const found = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
  if (found === undefined) throw new Error('This test needs an IPv4 address other than loopback.');
  return found.address;
}

function cacheFolder(): string {
  return process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
}

/** Without them, stand-ins would be executed, and nothing be shown. */
function expectRealActions(): void {
  const file = workflowFiles('.github/workflows').find(({ name }) => name === 'build-image');
  const used = (file ? stepsOf(file) : []).flatMap(({ step: { uses = '' } }) => /^docker\/\S+/.exec(uses) ?? []);
  expect(used).toHaveLength(4);
  const missing = used.filter((action) => !existsSync(join(ACTIONS, action, 'action.yml')));
  if (missing.length > 0) {
    throw new Error(
      `This test executes ${missing.join(', ')}, which are not in ${ACTIONS}. “.ci/install-tools FOLDER actions” gets ` +
        'them from github.com; then set DIATOM_TEST_ACTIONS to FOLDER/actions.',
    );
  }
}

function named(image: string): string {
  return `${registry.host}/${image}`;
}

/** Makes an image of the small one, by a command. */
async function makeChild(name: string, command: string, changes: readonly string[] = []): Promise<void> {
  await makeSmallImage(named('parent:1'));
  const create = ['create', '--env', `SCANNER=${SCANNER}`, named('parent:1'), 'sh', '-c', command];
  const container = (await run('docker', create)).trim();
  try {
    await run('docker', ['start', '--attach', container]);
    await run('docker', ['commit', ...changes.flatMap((change) => ['--change', change]), container, name]);
  } finally {
    await run('docker', ['rm', '--force', container]);
  }
}

/** A file of an image, as the machine that trains gets it. */
async function readOfImage({ digest }: Built, path: string): Promise<string> {
  // The run has made this machine's engine trust the registry.
  return signedIn(() => run('docker', ['run', '--rm', named(`${IMAGE}@${digest}`), 'cat', path]));
}

async function signedIn<T>(work: () => Promise<T>): Promise<T> {
  await run('docker', ['login', '--username', registry.username, '--password', registry.password, registry.host]);
  try {
    return await work();
  } finally {
    await run('docker', ['logout', registry.host]);
  }
}

/** Pushes images by an engine that trusts the registry, and forgets both. */
async function pushAll(...images: readonly string[]): Promise<void> {
  await mkdir(trusted(), { recursive: true });
  await writeFile(join(trusted(), 'ca.crt'), authority.certificate);
  try {
    await signedIn(async () => {
      for (const image of images) await run('docker', ['push', '--quiet', named(image)]);
    });
  } finally {
    await rm(trusted(), { recursive: true });
  }
  await run('docker', ['image', 'rm', ...images.map(named)]);
}

interface Built {
  readonly built: boolean;
  readonly digest: string;
  readonly log: string;
}

/** Runs build-image.yml as a job of somebody’s workflow. */
async function build(files: RunOptions['files'] = {}, more: Readonly<Record<string, string>> = {}): Promise<Built> {
  const { force = 'false', ...settings } = more;
  const section = {
    ...{ registry: registry.host, username: registry.username, password: 'secret REGISTRY_PASSWORD', name: IMAGE },
    'registry-ca': authority.certificate,
    'build-args': { BASE_IMAGE: named('base:1') },
    'buildkit-image': named('mirror/buildkit:1'),
    'sbom-generator': named('mirror/scanner:1'),
    attest: 'false',
    ...settings,
  };
  const workflow = `
name: Image
on: workflow_dispatch
permissions: {}
jobs:
  image:
    permissions: { contents: read, packages: write, attestations: write, id-token: write }
    uses: ${ACTION.replace('@', '/.github/workflows/build-image.yml@')}
    with:
      force: ${force}
    secrets:
      REGISTRY_PASSWORD: \${{ secrets.REGISTRY_PASSWORD }}
  show:
    needs: image
    runs-on: ubuntu-latest
    steps:
      - run: echo "built=$BUILT image=$IMAGE digest=$DIGEST"
        env:
          BUILT: \${{ needs.image.outputs.built }}
          IMAGE: \${{ needs.image.outputs.image }}
          DIGEST: \${{ needs.image.outputs.digest }}
`;
  const { exitCode, log } = await runWorkflow(workflow, {
    actions: ACTIONS,
    dockerPlugins: [plugin],
    // JSON is YAML as well.
    files: { ...MODEL, ...files, [SETTINGS_PATH]: JSON.stringify({ image: section }) },
    // The engine of this test, where it is not the usual one.
    environment: {
      ...(process.env['DOCKER_HOST'] && { DOCKER_HOST: process.env['DOCKER_HOST'] }),
      GITHUB_API_URL: api.origin,
    },
    secrets: { REGISTRY_PASSWORD: registry.password },
  });
  if (process.env['SHOW']) process.stdout.write(log);
  expect({ exitCode, log }).toMatchObject({ exitCode: 0 });
  expect(log).not.toContain(registry.password);
  // Of Docker Hub, which a machine may not reach, nothing was asked.
  expect(log).not.toMatch(/(?<![\w.])docker\.io\/|pulling image moby\//);
  const shown = /\| built=(true|false) image=(\S+) digest=(sha256:[0-9a-f]{64})/.exec(log);
  const [, built, image, digest = ''] = shown ?? [];
  expect(image).toBe(`${named(IMAGE)}@${digest}`);
  return { built: built === 'true', digest, log };
}

test('a registry of an institution gets an image, and another one only when something has changed', async () => {
  const first = await build();
  expect(first).toMatchObject({ built: true, log: expect.stringContaining('generating sbom using') });
  expect(await registry.digestOf(IMAGE, 'latest')).toBe(first.digest);
  expect(await readOfImage(first, '/opt/copy.py')).toBe(MODEL['model/train.py']);

  const again = await build({ 'model/README.md': 'What this is, in other words.\n' });
  expect(again).toMatchObject({ built: false, digest: first.digest });
  const tag = /registry has \S+:(inputs-[0-9a-f]{16})/.exec(again.log)?.[1];
  expect(await registry.digestOf(IMAGE, tag ?? '')).toBe(first.digest);

  const other = { 'model/train.py': 'print("two")\n' };
  const changed = await build(other);
  expect(changed.built).toBe(true);
  expect(changed.digest).not.toBe(first.digest);
  expect(await readOfImage(changed, '/opt/copy.py')).toBe(other['model/train.py']);

  // As it was before: the tags that move come with it.
  expect(await registry.digestOf(IMAGE, 'latest')).toBe(changed.digest);
  expect(await build()).toMatchObject({ built: false, digest: first.digest });
  expect(await registry.digestOf(IMAGE, 'latest')).toBe(first.digest);

  await makeChild(named('base:1'), 'echo newer >/etc/release');
  await pushAll('base:1');
  const onNewBase = await build();
  expect(onNewBase.built).toBe(true);
  expect(await readOfImage(onNewBase, '/etc/release')).toBe('newer\n');
});

test('of an image that is built by force, nothing is fetched that has not changed, unless its software is listed', async () => {
  const fetched = /extracting sha256:[0-9a-f]+ .*\bdone\b/;
  await build();
  const listed = await build({}, { force: 'true' });
  expect(listed).toMatchObject({ built: true, log: expect.stringMatching(fetched) });
  const plain = await build({}, { force: 'true', sbom: 'false', provenance: 'false' });
  expect(plain.built).toBe(true);
  expect(plain.log).not.toMatch(fetched);
  // An image alone, without anything beside it, keeps its digest under the tags that it is given later.
  const again = await build({}, { sbom: 'false', provenance: 'false' });
  expect(again).toMatchObject({ built: false, digest: plain.digest });
  expect(await registry.digestOf(IMAGE, 'latest')).toBe(plain.digest);
});
