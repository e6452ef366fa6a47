import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:https';
import { join, resolve } from 'node:path';
import { baseImage } from '../../__tests__/helpers/base-image.ts';
import { run } from '../../__tests__/helpers/commands.ts';
import { startDocker } from '../../__tests__/helpers/docker.ts';
import { startRegistry } from '../../__tests__/helpers/registry.ts';
import { ROOT } from '../action-metadata.ts';
import { type RunActionOptions, runAction } from '../run-action.ts';
import { createSample } from '../sample/sample-zips.ts';
import { startFileServer } from '../stand-ins/file-server.ts';
import { startOwncloudServer } from '../stand-ins/owncloud-server.ts';

/** Small images and no weights to start from: what a processor alone can learn in minutes. */
const QUICK = { INITIAL_WEIGHTS: 'none', IMAGE_SIZE: '80', BATCH_SIZE: '16', LR: '0.001', WARMUP_EPOCHS: '1' };

const SHA = '3f9c1d7a5b2e4860913d7c5a8e6f0b1d2c4a6987';

const MODEL = { 'model-name': 'diatoms' };

/**
 * Does what the pipeline does, with the shipped bundles, on the generated sample images: check, data set, image, a short
 * training and its publication, a longer one that is compared with it, and a gate that holds it back. Leaves each job
 * summary in `FOLDER`, and there the second model's folder and the report, for `draw.ts`. Takes a Docker engine, Debian's
 * docker-registry, and on two cores about ten minutes.
 */
async function makeRuns(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const [workspace, owncloudDirectory] = [join(folder, 'workspace'), join(folder, 'owncloud')];
  for (const path of [workspace, owncloudDirectory]) await mkdir(path, { recursive: true });
  const sample = await createSample(join(folder, 'zips'));
  const docker = await startDocker();
  const registry = await startRegistry();
  const image = `${registry.host}/lab/diatoms/model:latest`;
  const files = await startFileServer(join(folder, 'zips'));
  const owncloud = await startOwncloudServer({ directory: owncloudDirectory, username: 'lab', password: 'demo' });
  const secured = await secure(owncloud.url, folder);
  const server = { 'owncloud-url': secured.url, 'owncloud-username': 'lab', 'owncloud-password': 'demo' };

  // The person's own sign-ins stay as they are.
  const environment = { ...process.env, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: join(folder, 'docker') };

  /** Runs an action to its end, and keeps its summary. */
  async function step(name: string, options: Pick<RunActionOptions, 'action' | 'inputs'>, exitCode = 0) {
    process.stdout.write(`\n=== ${name}\n`);
    const result = await runAction({
      ...options,
      inputs: { ...server, ...options.inputs },
      workspace,
      // Runs of others on this machine have other numbers.
      env: {
        GITHUB_SHA: SHA,
        GITHUB_RUN_ID: String(800_000_000 + process.pid),
        NODE_EXTRA_CA_CERTS: secured.authority,
      },
      onOutput: (text) => process.stdout.write(text),
    });
    if (result.exitCode !== exitCode) throw new Error(`${name} ended with ${result.exitCode}`);
    await writeFile(join(folder, `${name}.md`), result.summary);
    return result.outputs;
  }

  try {
    const data = {
      'file-list': JSON.stringify(sample.fileList(files.url)),
      'owncloud-folder': 'data sets',
      seed: '2026',
    };
    await step('check', { action: 'prepare-data', inputs: { ...data, check: 'true' } });
    const dataset = await step('data-set', { action: 'prepare-data', inputs: data });

    const login = ['--username', registry.username, '--password', registry.password];
    await run('docker', ['login', ...login, registry.host], { env: environment });
    const buildArguments = [`BASE_IMAGE=${await baseImage()}`, 'REQUIREMENTS=none', 'IMAGENET_WEIGHTS_URL=none'];
    const options = buildArguments.flatMap((argument) => ['--build-arg', argument]);
    const context = join(ROOT, 'templates', 'model');
    await run('docker', ['build', '--quiet', '--tag', image, ...options, context], { env: environment });
    await run('docker', ['push', '--quiet', image], { env: environment });

    const train = (name: string, epochs: number) =>
      step(name, {
        action: 'train-model',
        inputs: {
          image,
          dataset: `data sets/${dataset['archive-name']}`,
          'registry-username': registry.username,
          'registry-password': registry.password,
          gpus: 'none',
          env: Object.entries({ ...QUICK, EPOCHS: epochs })
            .map(([key, value]) => `${key}=${value}`)
            .join('\n'),
          'output-dir': name,
          'artifact-name': 'none',
          'compare-with': 'models/diatoms/production',
        },
      });
    const publish = (name: string, folderOfModel: string, inputs: Record<string, string>, exitCode = 0) =>
      step(
        name,
        { action: 'publish-model', inputs: { ...MODEL, 'model-dir': join(workspace, folderOfModel), ...inputs } },
        exitCode,
      );
    await train('first-training', 8);
    await publish('first-publication', 'first-training', { gate: 'accuracy >= 0.3' });
    await train('training', 30);
    await publish('gate', 'training', { gate: 'accuracy >= 0.8, recall[Nitzschia_linearis] >= 0.7' }, 1);
    await publish('publication', 'training', { gate: 'accuracy >= 0.8' });
    await step('roll-back', { action: 'publish-model', inputs: { ...MODEL, 'roll-back-to': 'previous' } });
  } finally {
    await run('docker', ['image', 'rm', '--force', image]);
    secured.close();
    await owncloud.close();
    await files.close();
    await registry.close();
    await docker.close();
  }
}

/** Puts https, which people have, before a server that speaks http. `authority` is the certificate to trust. */
async function secure(url: string, folder: string): Promise<{ url: string; authority: string; close(): void }> {
  const [key, authority] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['-x509', '-newkey', 'rsa:2048', '-noenc', '-days', '2'];
  await run('openssl', ['req', ...kind, ...names, '-keyout', key, '-out', authority]);
  const proxy = createServer({ key: await readFile(key), cert: await readFile(authority) }, (asked, answer) => {
    const passed = request(
      new URL(asked.url ?? '/', url),
      { method: asked.method, headers: asked.headers },
      (given) => {
        answer.writeHead(given.statusCode ?? 502, given.headers);
        given.pipe(answer);
      },
    );
    passed.on('error', () => answer.destroy());
    asked.pipe(passed);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port');
  return {
    url: `https://localhost:${address.port}`,
    authority,
    close: () => {
      proxy.close();
      proxy.closeAllConnections();
    },
  };
}

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name a folder for the runs; what is in it is lost.');
await makeRuns(resolve(folder));
