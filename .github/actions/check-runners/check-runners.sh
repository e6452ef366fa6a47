#!/usr/bin/env bash
# Finds out whether GitHub lends the RUNNERS (JSON) of OWNER to WORKFLOW, the repository that a called workflow is from.
set -euo pipefail

lower() { printf %s "$1" | tr '[:upper:]' '[:lower:]'; }

lender=${WORKFLOW%%/*}
if [ -z "$lender" ] || [ "$SAME_ENTERPRISE" = true ] || [ "$(lower "$lender")" = "$(lower "$OWNER")" ]; then exit 0; fi
# Labels of GitHub’s own runners are lent to everybody; larger ones and self-hosted ones are not.
case $RUNNERS in *self-hosted*) ;; *) exit 0 ;; esac
echo "::error::GitHub lends the self-hosted runners of $OWNER to no workflow of $lender: their jobs would wait for 24 hours, and then fail. Call a fork of $WORKFLOW in $OWNER, or take the template train-and-publish.yml or train-on-gpu-server.yml, whose jobs are your own. If both belong to one enterprise, give the workflow the input same-enterprise: true."
exit 1
