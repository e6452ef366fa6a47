import type { RunnerSetup } from './driver.ts';
import { runnerScript } from './runner-script.ts';

/**
 * The batch script of a server's job. It holds nothing secret: everybody's `scontrol write batch_script` may show it.
 *
 * It is a login shell's, so that what a cluster sets up for its users is there (`module`, proxies): the job gets nothing
 * of the environment of the machine that it is sent from.
 */
export function slurmScript(setup: string, { software, pickUpMinutes }: Omit<RunnerSetup, 'jitConfig'>): string {
  return `#!/bin/bash -l
umask 077
# The folder of this server, where the job was sent from.
export DIATOM_WORK_DIR=$SLURM_SUBMIT_DIR DIATOM_JIT_FILE=$SLURM_SUBMIT_DIR/jit
# A stop that came while the job was on its way.
[ ! -e "$DIATOM_WORK_DIR/stopped" ] || rm -f -- "$DIATOM_JIT_FILE"
# The configuration does not outlive the job, whatever the lines below do.
trap 'rm -f -- "$DIATOM_JIT_FILE"' EXIT
umask 022
${setup === '' ? '' : `\n# Input slurm-setup.\n${setup}\n`}
${runnerScript(software, pickUpMinutes)}
`;
}
