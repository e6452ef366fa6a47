import { DiatomError } from '../errors.ts';
import type { RunnerSetup } from './driver.ts';
import { runnerScript } from './runner-script.ts';

/** What differs between clouds. */
export interface Cloud {
  readonly name: string;
  /** How much user data it takes, before it is encoded. */
  readonly maxBytes: number;
  /**
   * `sh` text that ends the server for good, where one that is off still costs, and returns when that has succeeded or
   * was tried for `REMOVE_MINUTES`; `''` where switching off is enough. Nothing of it may be in an argument of a program
   * that is secret.
   */
  readonly remove: string;
}

/** For how long a server tries to remove itself before it only switches itself off. */
export const REMOVE_MINUTES = 10;

/** Ends the embedded files; no line of a script or of base64 is this. */
const END = 'DIATOM_END_OF_FILE';

/**
 * What a new server executes as root when it boots (cloud-init, “User-data scripts”). It holds the runner's JIT
 * configuration, and what `remove` needs: handle it like a password.
 *
 * Before anything else it limits its own life, in three ways that do not depend on each other: `shutdown`, which is
 * systemd's; a sleeping process, which in the end needs nobody but the kernel; and the end of this script, whatever
 * ended it. What switching it off leaves behind, `remove` has
 * taken away before.
 *
 * The runner gets a user of its own, who may use Docker: containers then don't write as root, and the job can't take
 * back the limit by mistake.
 *
 * @param maxMinutes how long the server may live, counted from here; fractions are allowed
 * @throws DiatomError `SERVER` when it is more than the cloud takes
 */
export function userData(runner: RunnerSetup, maxMinutes: number, { name, maxBytes, remove }: Cloud): string {
  const patience = remove === '' ? 0 : 2 * REMOVE_MINUTES;
  const text = `#!/bin/bash
shutdown -P +${Math.ceil(maxMinutes) + patience} 'The time of this server is up.'
power_off() {
  trap '' HUP INT TERM
  sync
${remove}  shutdown -P now || poweroff
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
  cat >/var/lib/cloud/scripts/per-boot/diatom-off <<'${END}' &&
#!/bin/sh
${remove}shutdown -P now || poweroff -f
${END}
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
  if (bytes <= maxBytes) return text;
  throw new DiatomError(
    'SERVER',
    `The server’s user data would have ${bytes} bytes, and ${name} takes ${maxBytes}: shorten runner-labels, of which the runner’s configuration is made.`,
  );
}
