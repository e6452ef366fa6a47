#!/usr/bin/env bash
# Begins to upload an image of the name IMAGE to REGISTRY, as USERNAME with PASSWORD, and gives up the upload: whoever may
# sign in, or read, may not push yet.
set -eu

case $REGISTRY in docker.io | index.docker.io) host=registry-1.docker.io ;; *) host=$REGISTRY ;; esac
# As Docker does, without TLS on this machine alone.
case $host in localhost | localhost:* | 127.*) base=http://$host ;; *) base=https://$host ;; esac
name=$(printf %s "$IMAGE" | tr '[:upper:]' '[:lower:]')
umask 077
answer=$(mktemp -d)
trap 'rm -rf "$answer"' EXIT
# Secrets reach curl by its standard input: everybody on this machine can read arguments.
ask() {
  curl --config - --silent --show-error --connect-timeout 20 --max-time 60 --retry 3 \
    --output "$answer/body" --dump-header "$answer/headers" --write-out '%{http_code}' "$@" || :
}
begin() { printf '%s\n' "$1" | ask --request POST --data '' "$base/v2/$name/blobs/uploads/"; }
header() { tr -d '\r' <"$answer/headers" | sed -n "s/^$1: *//Ip" | tail -n 1; }
part() { printf %s "$challenge" | sed -n "s/.*[ ,]$1=\"\([^\"]*\)\".*/\1/Ip"; }
login=$(printf 'user = "%s"' "$(printf %s "$USERNAME:$PASSWORD" | sed 's/[\\"]/\\&/g')")
access=
code=$(begin "$access")
challenge=$(header www-authenticate)
case $code:$challenge in
  401:[Bb]earer*)
    realm=$(part realm)
    case $realm in
      https://* | "$base"/*) ;;
      *) echo "::error::$REGISTRY sends its users to $realm to sign in, which is not safe (https)."; exit 1 ;;
    esac
    printf '%s\n' "$login" | ask --get --data-urlencode "service=$(part service)" \
      --data-urlencode "scope=repository:$name:pull,push" "$realm" >/dev/null
    token=$(sed -n 's/.*"\(access_\)\{0,1\}token" *: *"\([^"]*\)".*/\2/p' "$answer/body")
    access="header = \"Authorization: Bearer $token\""
    code=$(begin "$access")
    ;;
  401:*) access=$login; code=$(begin "$access") ;;
esac
if [ "$code" = 202 ]; then
  # Nothing was uploaded, and nothing is left.
  place=$(header location)
  case $place in /*) place=$base$place ;; esac
  case $place in "$base"/*) printf '%s\n' "$access" | ask --request DELETE "$place" >/dev/null ;; esac
  echo "$REGISTRY takes images of the name $name."
  exit 0
fi
case $code in
  000 | 5??) why='It does not answer as a registry does: try again later, and check its name.' ;;
  429) why='It gets too many requests at the moment: try again later.' ;;
  404) why='It has no such place: check “name” in the section “image” of your settings; some registries want a project to be made first.' ;;
  *) why='The account may sign in, and perhaps read, but not push there: give it that right. For ghcr.io, an image that another repository made must allow this one to write (Package settings, Manage Actions access), and the job that calls this workflow needs “packages: write”.' ;;
esac
echo "::error::$REGISTRY takes no image of the name $name (HTTP $code). $why"
exit 1
