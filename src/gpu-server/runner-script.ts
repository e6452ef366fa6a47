import type { RunnerSoftware } from './driver.ts';
import { shellQuote } from './host.ts';

/** How long a runner may take to sign off at GitHub when it is ended, in seconds: less than Slurm's KillWait (30). */
const GRACE_SECONDS = 20;

/**
 * The bash text that is executed on a server which makes a runner of its own: it gets GitHub's runner, lets it take one
 * job, and ends with it. It holds nothing secret, so it may stand in user data, batch scripts and logs. It wants bash,
 * as the runner's own `run.sh` does, and reads from the environment:
 *
 * - `DIATOM_JIT_FILE` the file with the runner's JIT configuration; read once and deleted.
 * - `DIATOM_WORK_DIR` where a new folder is made for the runner and its job, which is removed at the end; default
 *   `$TMPDIR` or `/tmp`. Runners at the same time do not meet.
 *
 * It exits with 0 when the runner has ended by itself, or got no job in time; with another code, and a sentence as the
 * last line of its output, when it could not be started. SIGTERM ends the runner, then the script.
 *
 * What it relies on was read in actions/runner 2.336: inputs are taken from `ACTIONS_RUNNER_INPUT_<NAME>`, removed from
 * the environment and masked (CommandSettings.cs; `jitconfig` is one of `Args.Secrets`), so the configuration needs no
 * argument; the hook that `ACTIONS_RUNNER_HOOK_JOB_STARTED` names is run before a job's first step, after its actions
 * were downloaded; `_diag/Worker_*` is there as soon as a job has arrived (HostContext.cs); SIGINT signs the runner off
 * (Runner.cs, CtrlCHandler); run-helper.sh refuses root unless `RUNNER_ALLOW_RUNASROOT` is set, and passes on exit code
 * 7, “too old”, only when it is asked to.
 *
 * @param pickUpMinutes after how many minutes without a job the runner is ended; fractions are allowed
 */
export function runnerScript(software: RunnerSoftware, pickUpMinutes: number): string {
  return `#!/bin/bash
say() { printf '%s diatom: %s\\n' "$(date -u +%H:%M:%S)" "$*"; }
give_up() { say "$*"; exit 1; }

jit=$(cat -- "$DIATOM_JIT_FILE")
rm -f -- "$DIATOM_JIT_FILE"
[ -n "$jit" ] || give_up 'The configuration of the runner is not there: it was used already, or the server was stopped.'

folder=$(mktemp -d "\${DIATOM_WORK_DIR:-\${TMPDIR:-/tmp}}/runner-XXXXXXXX") || give_up 'There is no place for the runner.'
runner=
end_runner() {
  kill -INT -- "-$runner" 2>/dev/null || return
  for _ in {1..${GRACE_SECONDS}}; do
    kill -0 -- "-$runner" 2>/dev/null || return
    sleep 1
  done
  kill -KILL -- "-$runner" 2>/dev/null
}
clean_up() {
  trap '' HUP INT TERM
  [ -z "$runner" ] || end_runner
  cd /
  rm -rf -- "$folder" || say "Please remove what is left in $folder."
}
trap clean_up EXIT
trap 'say "The server is being stopped."; exit 143' HUP INT TERM

mkdir "$folder/actions-runner" && cd "$folder/actions-runner" || exit 1
${'directory' in software ? copyLines(software.directory) : downloadLines(software)}
[ -x ./run.sh ] || give_up 'There is no run.sh in it: that is not a runner of GitHub.'

# A hook that this machine's administrator has set stays; the worker's log shows a job as well.
printf ': >%q\\n' "$folder/job-started" >"$folder/job-started.sh"
export ACTIONS_RUNNER_HOOK_JOB_STARTED="\${ACTIONS_RUNNER_HOOK_JOB_STARTED:-$folder/job-started.sh}"
export ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1 RUNNER_ALLOW_RUNASROOT=1
has_job() { [ -e "$folder/job-started" ] || compgen -G '_diag/Worker_*' >/dev/null; }

# With job control the runner is a process group, which can be ended as a whole, and doesn't ignore SIGINT, as what a
# shell starts in the background does otherwise.
set -m
ACTIONS_RUNNER_INPUT_JITCONFIG=$jit ./run.sh </dev/null &
runner=$!
set +m
unset jit
say 'The runner is started.'

deadline=$((SECONDS + ${Math.max(1, Math.ceil(pickUpMinutes * 60))}))
until has_job; do
  kill -0 "$runner" 2>/dev/null || break
  if [ "$SECONDS" -ge "$deadline" ]; then
    say 'No job came within ${pickUpMinutes} minutes (input pick-up-minutes): the runner is ended.'
    exit 0
  fi
  sleep 1
done
! has_job || say 'The runner has a job.'
wait "$runner"
code=$?
[ "$code" != 7 ] || give_up 'GitHub does not take this version of the runner any more: set a newer runner-version.'
say "The runner has ended (exit code $code)."
exit "$code"
`;
}

/**
 * The programs are copied: the runner keeps its registration and its work beside its `bin` folder, wherever a link leads
 * (HostContext.cs, `WellKnownDirectory.Root`). Hidden files stay behind: they are another runner's registration.
 */
function copyLines(directory: string): string {
  return `say "The runner is copied."
for entry in ${directory.startsWith('~/') ? `"$HOME"${shellQuote(directory.slice(1))}` : shellQuote(directory)}/*; do
  case \${entry##*/} in
    _work | _diag | *.tar.gz) ;;
    *) cp -R -- "$entry" . || give_up "The runner can't be copied from $entry (input runner-dir)." ;;
  esac
done`;
}

/** In the background, where a signal can interrupt the wait; resumed, as a proxy may cut a large download. */
function downloadLines({ url, sha256, version }: { url: string; sha256: string; version: string }): string {
  return `package=$folder/actions-runner.tar.gz
is_whole() { printf '%s  %s\\n' ${shellQuote(sha256)} "$package" | sha256sum --check --status - 2>/dev/null; }
for pause in 1 5 15 30 0; do
  say ${shellQuote(`The runner ${version} is downloaded.`)}
  curl --fail --silent --show-error --location --connect-timeout 30 --speed-limit 1 --speed-time 60 \\
    --continue-at - --output "$package" ${shellQuote(url)} &
  wait $! && break
  ! is_whole || break
  sleep "$pause" &
  wait $!
done
is_whole || give_up ${shellQuote(`The runner can’t be downloaded from ${url} with the SHA-256 ${sha256}: is that host reachable from this machine (proxy, firewall)? Otherwise install the runner there and set runner-dir.`)}
tar --extract --gzip --no-same-owner --file "$package" || give_up "The runner's package can't be unpacked: is the disk full?"
rm -f -- "$package"`;
}
