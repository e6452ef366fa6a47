import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A program that is started in an action's place, and runs its bundle as a runner in a Slurm job does: in the job's batch
 * step, as an ordinary user. Sent by root, who gives that user what an action may write.
 *
 * - `JOB_PROGRAMS` a folder that the user can read, with `node` and the `bundle`
 * - `JOB_USER` the user; `JOB_OPTIONS` sbatch's options, separated by spaces; `JOB_PATH` the job's PATH
 */
const { JOB_PROGRAMS = '', JOB_USER = '', JOB_OPTIONS = '', JOB_PATH = '', SLURM_CONF, ...action } = process.env;
const folder = dirname(action['GITHUB_OUTPUT'] ?? '');
const [job, log, environment] = ['job.sh', 'log', 'environment.json'].map((name) => join(folder, name));
if (job === undefined || log === undefined || environment === undefined) throw new Error('There is no folder');

// A shell takes no variable whose name has a “-”, as inputs have.
writeFileSync(environment, JSON.stringify({ ...action, HOME: folder }));
const program = `const { spawn } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const env = { ...process.env, ...JSON.parse(readFileSync(${JSON.stringify(environment)}, 'utf8')), PATH: process.env.PATH };
const child = spawn(process.execPath, [${JSON.stringify(join(JOB_PROGRAMS, 'bundle', 'index.js'))}], { env, stdio: 'inherit' });
writeFileSync(${JSON.stringify(join(folder, 'pid'))}, String(child.pid));
child.on('close', (code) => process.exit(code ?? 137));
`;
writeFileSync(join(folder, 'start.cjs'), program);
writeFileSync(
  job,
  `#!/bin/sh\nexport PATH=${JOB_PATH}\nexec ${join(JOB_PROGRAMS, 'node')} ${join(folder, 'start.cjs')}\n`,
);
writeFileSync(log, '');
execFileSync('chown', ['-R', JOB_USER, folder]);
const options = [...JOB_OPTIONS.split(' '), '--wait', '--export=ALL', `--chdir=${folder}`, `--output=${log}`];
const sent = spawnSync('runuser', ['-u', JOB_USER, '--', 'sbatch', ...options, job], {
  env: { PATH: process.env['PATH'], ...(SLURM_CONF === undefined ? {} : { SLURM_CONF }) },
  encoding: 'utf8',
});
process.stdout.write(`${readFileSync(log, 'utf8')}${sent.stderr}`);
process.exitCode = sent.status ?? 1;
