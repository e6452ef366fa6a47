#!/bin/bash
# Behaves towards the tests' stand-in for GitHub as the real run.sh and its listener do towards GitHub: it takes its
# JIT configuration from the environment, keeps it in a file beside itself, is online, takes one job, calls the hook
# before it, logs below _diag, and signs off when that job is over or on a signal.
root=$(cd "$(dirname "$0")" && pwd)
configuration=$(printf %s "$ACTIONS_RUNNER_INPUT_JITCONFIG" | base64 -d)
unset ACTIONS_RUNNER_INPUT_JITCONFIG
field() { printf %s "$configuration" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
me=$(field standIn)/stand-in/runners/$(field runnerId)
[ "$me" != /stand-in/runners/ ] || { echo 'No configuration.'; exit 1; }
printf %s "$configuration" >"$root/.credentials"
mkdir -p "$root/_diag" "$root/_work"
: >"$root/_diag/Runner_1.log"

report() {
  curl --silent --output /dev/null --write-out '%{http_code}' --request PUT --data "{\"status\":\"$1\",\"busy\":$2}" "$me"
}
trap 'trap "" INT TERM; report offline false >/dev/null' EXIT
trap 'echo Exiting...; exit 0' INT TERM

busy=false
while :; do
  # A registration that is gone ends the runner; a GitHub that does not answer does not.
  [ "$(report online $busy)" != 404 ] || exit 0
  case $(curl --silent --fail "$me/job") in
    start)
      if [ $busy = false ]; then
        : >"$root/_diag/Worker_1.log"
        [ -z "$ACTIONS_RUNNER_HOOK_JOB_STARTED" ] || bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"
        echo 'Running job'
        busy=true
      fi
      ;;
    finish) echo 'Job completed'; exit 0 ;;
  esac
  sleep 0.2 &
  wait $!
done
