#!/usr/bin/env bash
# Makes the Docker engine, BuildKit and the later steps of the job trust REGISTRY, whose authority has CERTIFICATE.
set -euo pipefail

host=${REGISTRY%%/*}
case $CERTIFICATE in
  *PRIVATE\ KEY*)
    echo '::error::registry-ca holds a private key. Give only the certificate of the authority, and replace that key: it has been seen.'
    exit 1
    ;;
  *-----BEGIN\ CERTIFICATE-----*$'\n'*-----END\ CERTIFICATE-----*) ;;
  *)
    echo '::error::registry-ca is no certificate. It must be the PEM text of the authority, from “-----BEGIN CERTIFICATE-----” to “-----END CERTIFICATE-----”, with its line ends.'
    exit 1
    ;;
esac
mkdir -p "$RUNNER_TEMP/registry-ca"
file=$RUNNER_TEMP/registry-ca/ca.pem
printf '%s\n' "$CERTIFICATE" | tr -d '\r' >"$file"
{
  echo 'buildkitd-config<<END'
  printf '[registry."%s"]\n  ca=["%s"]\n' "$host" "$file"
  echo END
} >>"$GITHUB_OUTPUT"
# What asks the registry from the runner itself, such as “docker buildx imagetools”, follows neither engine nor BuildKit.
echo "SSL_CERT_DIR=${SSL_CERT_DIR:-/etc/ssl/certs:/etc/pki/tls/certs}:${file%/*}" >>"$GITHUB_ENV"

# The engine reads this folder again for every connection. Our file lies beside those of the machine’s administrator.
case $(docker info --format '{{.SecurityOptions}}') in
  *rootless*) folder=$HOME/.config/docker/certs.d/$host ;;
  *) folder=/etc/docker/certs.d/$host ;;
esac
# shellcheck disable=SC2016 # the inner shell expands them
install=(sh -c 'mkdir -p "$2" && cp "$1" "$2/diatom-actions.crt" && chmod a+r "$2/diatom-actions.crt"' sh "$file" "$folder")
if "${install[@]}" 2>/dev/null || sudo -n "${install[@]}" 2>/dev/null; then
  echo "The Docker engine trusts $host by $folder/diatom-actions.crt."
else
  echo "::warning::This runner may not write to $folder. If the sign-in to $host fails, let the runner’s administrator put the certificate of registry-ca into $folder/ca.crt."
fi
