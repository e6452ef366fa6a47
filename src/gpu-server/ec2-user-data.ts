import { DiatomError } from '../errors.ts';
import type { RunnerSetup } from './driver.ts';
import { runnerScript } from './runner-script.ts';

/** What EC2 takes, before it is encoded (EC2 user guide, “Instance user data”). */
const MAX_BYTES = 16_384;

/** Ends the embedded files; no line of a script or of base64 is this. */
const END = 'DIATOM_END_OF_FILE';

/**
 * What a new instance executes as root when it boots (cloud-init, “User-data scripts”). It holds the runner's JIT
 * configuration: handle it like a password.
 *
 * Before anything else it limits its own life, in three ways that do not depend on each other: `shutdown`, which is
 * systemd's; a sleeping process, which in the end needs nobody but the kernel; and the end of this script, whatever
 * ended it. With terminate-on-shutdown, a machine that is off costs nothing.
 *
 * The runner gets a user of its own, who may use Docker: containers then don't write as root, and the job can't take
 * back the limit by mistake.
 *
 * @param maxMinutes how long the instance may live, counted from here; fractions are allowed
 * @throws DiatomError `SERVER` when it is more than EC2 takes
 */
export function userData(runner: RunnerSetup, maxMinutes: number): string {
  const text = `#!/bin/bash
shutdown -P +${Math.ceil(maxMinutes)} 'The time of this server is up.'
power_off() {
  trap '' HUP INT TERM
  sync
  shutdown -P now || poweroff
  # Whatever keeps the system from an orderly end gets no more time than this.
  sleep 120
  poweroff -f
  echo o >/proc/sysrq-trigger
}
(
  trap '' HUP INT TERM
  sleep ${Math.ceil(maxMinutes * 60)}
  power_off
) </dev/null >/dev/null 2>&1 &
trap 'echo "diatom: this server ends now (exit code $?)."; power_off' EXIT
trap 'exit 143' HUP INT TERM
set -u
umask 077

# After a reboot nothing of this would be left, neither limit nor runner.
mkdir -p /var/lib/cloud/scripts/per-boot &&
  printf '#!/bin/sh\\nshutdown -P now || poweroff -f\\n' >/var/lib/cloud/scripts/per-boot/diatom-off &&
  chmod 700 /var/lib/cloud/scripts/per-boot/diatom-off || exit 1

useradd --create-home --shell /bin/bash diatom || exit 1
home=$(getent passwd diatom | cut -d : -f 6)
[ -d "$home" ] || exit 1
! getent group docker >/dev/null || usermod --append --groups docker diatom || exit 1
cat >"$home/jit" <<'${END}' || exit 1
${runner.jitConfig}
${END}
cat >"$home/runner.sh" <<'${END}' || exit 1
${runnerScript(runner.software, runner.pickUpMinutes)}
${END}
chown diatom: "$home/jit" "$home/runner.sh" || exit 1

# .NET, in which the runner is written, ends at once on a system without ICU unless it is told to do without.
ldconfig -p | grep -q libicuuc || export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
cd / || exit 1
runuser -u diatom -- env HOME="$home" DIATOM_JIT_FILE="$home/jit" DIATOM_WORK_DIR="$home" bash "$home/runner.sh"
`;
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_BYTES) return text;
  throw new DiatomError(
    'SERVER',
    `The instance’s user data would have ${bytes} bytes, and EC2 takes ${MAX_BYTES}: shorten runner-labels, of which the runner’s configuration is made.`,
  );
}
