import { execFileSync } from 'node:child_process';

const { INPUT_REGISTRY, INPUT_USERNAME, INPUT_PASSWORD } = process.env;
execFileSync('docker', ['login', '--username', INPUT_USERNAME, '--password-stdin', INPUT_REGISTRY], {
  input: INPUT_PASSWORD,
  stdio: ['pipe', 'inherit', 'inherit'],
});
