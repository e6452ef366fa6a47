#!/usr/bin/env bash
# Writes FINDINGS, one “NAME=outcome of its step” a line, into the job summary.
set -euo pipefail

{
  printf '## Check\n\n| | What | Found |\n| --- | --- | --- |\n'
  while IFS='=' read -r name outcome; do
    case $name:$outcome in
      :*) ;;
      *:success) printf '| ✅ | %s | ready |\n' "$name" ;;
      *:skipped) printf '| ✅ | %s | not checked |\n' "$name" ;;
      *) printf '| ❌ | %s | not ready: the log of its step says why |\n' "$name" ;;
    esac
  done <<<"$FINDINGS"
} >>"$GITHUB_STEP_SUMMARY"
