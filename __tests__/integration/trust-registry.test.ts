import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';

const SCRIPT = join(ROOT, '.github', 'actions', 'trust-registry', 'trust-registry.sh');
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';
const HOST = 'registry.example.org:5000';

let runner: string;

beforeEach(async () => {
  runner = await mkdtemp(join(tmpdir(), 'trust-registry-'));
  const folder = runner;
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(runner, 'bin'));
  // An engine that belongs to its user, so that the test needs no root and changes nothing of the machine; the weekly tests
  // have a real one.
  await program('docker', 'echo "[name=seccomp name=rootless]"');
  await program('sudo', 'exit 1');
});

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(runner, 'bin', name), `#!/bin/sh\n${script}\n`);
  await chmod(join(runner, 'bin', name), 0o755);
}

async function trust(certificate: string): Promise<{ exitCode: number | null; log: string; output: string }> {
  const output = join(runner, 'output');
  await writeFile(output, '');
  const { status, stdout, stderr } = spawnSync('bash', [SCRIPT], {
    encoding: 'utf8',
    env: {
      PATH: `${join(runner, 'bin')}:${process.env['PATH']}`,
      HOME: join(runner, 'home'),
      RUNNER_TEMP: runner,
      GITHUB_OUTPUT: output,
      GITHUB_ENV: join(runner, 'env'),
      REGISTRY: `${HOST}/group`,
      CERTIFICATE: certificate,
    },
  });
  return { exitCode: status, log: stdout + stderr, output: await readFile(output, 'utf8') };
}

test('engine and BuildKit get the certificate, for this registry alone', async () => {
  const { exitCode, output } = await trust(CERTIFICATE.replaceAll('\n', '\r\n'));
  expect(exitCode).toBe(0);
  const file = join(runner, 'registry-ca', 'ca.pem');
  expect(output).toContain(`[registry."${HOST}"]\n  ca=["${file}"]\n`);
  const engines = join(runner, 'home', '.config', 'docker', 'certs.d', HOST, 'diatom-actions.crt');
  expect(await readFile(join(runner, 'env'), 'utf8')).toBe(
    `SSL_CERT_DIR=/etc/ssl/certs:/etc/pki/tls/certs:${join(runner, 'registry-ca')}\n`,
  );
  for (const path of [file, engines]) expect(await readFile(path, 'utf8')).toBe(`${CERTIFICATE}\n`);
});

test('a runner that may not tell its engine goes on, and says who can', async () => {
  await writeFile(join(runner, 'home'), 'no folder');
  const { exitCode, log, output } = await trust(CERTIFICATE);
  expect(exitCode).toBe(0);
  expect(log).toMatch(/^::warning::.*administrator.*certs\.d\/registry\.example\.org:5000\/ca\.crt/m);
  expect(output).toContain(`[registry."${HOST}"]`);
});

test.each([
  ['no certificate', 'registry.pem', 'registry-ca is no certificate'],
  ['a certificate on one line', CERTIFICATE.replaceAll('\n', '\\n'), 'with its line ends'],
  ['a private key', `${CERTIFICATE}\n-----BEGIN PRIVATE KEY-----\n`, 'registry-ca holds a private key'],
])('%s is refused', async (_, certificate, message) => {
  const { exitCode, log } = await trust(certificate);
  expect(exitCode).toBe(1);
  expect(log).toMatch(new RegExp(`^::error::.*${message}`, 'm'));
});
