#!/usr/bin/env bash
# Says which PARTS of the settings have not arrived, one “name number-of-settings true|false” a line.
set -euo pipefail

lost=0
while read -r name keys arrived; do
  if [ -z "$name" ] || [ "$arrived" = true ]; then continue; fi
  lost=$((lost + 1))
  # shellcheck disable=SC1111 # quotation marks of the sentence
  echo "::error::The part “$name” of your settings (${keys:-?} of them) did not arrive: GitHub leaves out what contains the text of a secret. Look in your settings file, section “$name” and what it takes from others, for a value that is also a secret or a part of one, such as a user name that is the password of a test server; then change that secret."
done <<<"$PARTS"
[ "$lost" -eq 0 ]
