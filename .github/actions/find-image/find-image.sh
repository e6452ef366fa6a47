#!/usr/bin/env bash
# Sums up what an image is made of: the files that Docker would send, the Dockerfile, the images that it names, as they are
# in their registries now, build arguments and settings. Then looks whether the registry has an image with this sum in its
# tag. Whenever something can't be found out, the image is built: that is never wrong, only slow.
#
# CONTEXT, REPOSITORY (its name without a tag), BUILD_ARGS, SETTINGS and FORCE are set by action.yml.
set -euo pipefail

# Raised when the rules below change, so that what was summed up by the old ones is built again.
RULES=1

work=$(mktemp -d "$RUNNER_TEMP/find-image-XXXXXX")
trap 'rm -rf "$work"' EXIT

# build REASON: ends the search.
build() {
  echo "The image is built: $1."
  exit 0
}

# digest_of IMAGE: prints its digest, which is the SHA-256 of what its registry has under that name.
digest_of() {
  if [[ $1 == *@sha256:* ]]; then
    echo "sha256:${1##*@sha256:}"
  else
    timeout --kill-after=10 120 docker buildx imagetools inspect --raw "$1" | sha256sum | sed 's/ .*//; s/^/sha256:/'
  fi
}

# expand TEXT: prints it with the values of the Dockerfile’s arguments; fails when one has none.
expand() {
  local text=$1 expanded='' name value
  while [[ $text =~ ^([^$]*)\$(([A-Za-z_][A-Za-z_0-9]*)|\{([A-Za-z_][A-Za-z_0-9]*)(:-([^{}]*))?\})(.*)$ ]]; do
    name=${BASH_REMATCH[3]}${BASH_REMATCH[4]}
    value=${args[$name]:-${BASH_REMATCH[6]}}
    [ -n "$value" ] || return 1
    expanded+=${BASH_REMATCH[1]}$value
    text=${BASH_REMATCH[7]}
  done
  [[ $text != *\$* ]] && printf %s "$expanded$text"
}

unquoted() {
  local text=$1
  if [[ $text =~ ^\"(.*)\"$ || $text =~ ^\'(.*)\'$ ]]; then text=${BASH_REMATCH[1]}; fi
  printf %s "$text"
}

# declare_args NAME[=VALUE]…: an ARG before the first FROM. Build arguments count more than what stands there.
declare_args() {
  local words word name value
  read -ra words <<<"$1"
  for word in "${words[@]}"; do
    name=${word%%=*}
    if [ -n "${given[$name]+given}" ]; then
      args[$name]=${given[$name]}
    elif [[ $word == *=* ]]; then
      value=$(unquoted "${word#*=}")
      args[$name]=$(expand "$value") || unset "args[$name]"
    fi
  done
}

# add_image IMAGE: one that the Dockerfile names, unless it is one of its own stages.
add_image() {
  local image
  image=$(expand "$(unquoted "$1")") || build "nobody can say beforehand which image the Dockerfile means by $1"
  if [[ $image != scratch && ! $image =~ ^[0-9]+$ && " ${stages[*],,} " != *" ${image,,} "* ]]; then images+=("$image"); fi
}

# read_instruction NAME REST
read_instruction() {
  local words found
  case ${1^^} in
    ARG) if ! $is_in_stage; then declare_args "$2"; fi ;;
    FROM)
      is_in_stage=true
      read -ra words <<<"$2"
      while [[ ${words[0]-} == --* ]]; do words=("${words[@]:1}"); done
      add_image "${words[0]-}"
      if [[ ${words[1]-} == [Aa][Ss] ]]; then stages+=("${words[2]-}"); fi
      ;;
    COPY | RUN)
      # COPY --from=…, and RUN --mount=type=bind,from=…
      while [[ $2 =~ ^(--[^[:space:]]+)[[:space:]]+(.*)$ ]]; do
        found=${BASH_REMATCH[1]}
        set -- "$1" "${BASH_REMATCH[2]}"
        if [[ $found =~ ^--(from=|mount=(.*,)?from=)([^,]+) ]]; then add_image "${BASH_REMATCH[3]}"; fi
      done
      ;;
  esac
}

# read_dockerfile FILE: fills images.
read_dockerfile() {
  local instruction rest syntax
  tr -d '\r' <"$1" >"$work/Dockerfile"
  if grep -qiE '^[[:space:]]*#[[:space:]]*escape[[:space:]]*=' "$work/Dockerfile"; then
    build 'its Dockerfile has an escape character of its own'
  fi
  # The program that reads the Dockerfile is an image, too, where the first lines name one.
  syntax=$(sed -nE -e '/^#/!q' -e 's/^#[[:space:]]*[Ss][Yy][Nn][Tt][Aa][Xx][[:space:]]*=[[:space:]]*([^[:space:]]+).*$/\1/p' "$work/Dockerfile")
  if [ -n "$syntax" ]; then images+=("$syntax"); fi
  while read -r instruction rest || [ -n "$instruction" ]; do
    read_instruction "$instruction" "$rest"
  done < <(sed '/^[[:space:]]*#/d' "$work/Dockerfile" | sed -e ':line' -e '/\\[[:space:]]*$/{N;s/\\[[:space:]]*\n/ /;b line' -e '}')
}

# context_sum: the sum of the files that Docker sends, of which BuildKit knows best: .dockerignore has rules of its own. Dates
# differ from checkout to checkout, and so do owners, permissions and what is in .git.
context_sum() {
  printf 'FROM scratch\nCOPY . /\n' >"$work/all.Dockerfile"
  if [ -f "$CONTEXT/Dockerfile.dockerignore" ]; then cp "$CONTEXT/Dockerfile.dockerignore" "$work/all.Dockerfile.dockerignore"; fi
  BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker buildx build --quiet --file "$work/all.Dockerfile" \
    --output "type=local,dest=$work/context" "$CONTEXT" >/dev/null || return
  tar --create --directory "$work/context" --format=gnu --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --anchored --exclude=./.git . | sha256sum
}

declare -A given=() args=()
arguments=() stages=() images=()
is_in_stage=false
while read -r line; do
  line=$(unquoted "$line")
  [ -n "$line" ] || continue
  [[ $line == *=* ]] || build "the value of the build argument $line is known to the runner only"
  given[${line%%=*}]=${line#*=}
  arguments+=("$line")
done <<<"$BUILD_ARGS"

read_dockerfile "$CONTEXT/Dockerfile"
{
  printf 'rules %s\nsettings %s\n' "$RULES" "$SETTINGS"
  if [ ${#arguments[@]} -gt 0 ]; then printf 'argument %s\n' "${arguments[@]}" | sort; fi
  sha256sum <"$CONTEXT/Dockerfile"
} >"$work/sums"
for image in "${images[@]}"; do
  digest=$(digest_of "$image") || build "what $image is now can’t be found out (why not is said above)"
  echo "image $image $digest" | tee -a "$work/sums"
done
context_sum >>"$work/sums" || build 'BuildKit does not say which files it consists of (why not is said above)'

tag=inputs-$(sha256sum "$work/sums" | cut -c 1-16)
echo "tag=$tag" >>"$GITHUB_OUTPUT"
[ "$FORCE" != true ] || build 'the run was started with force'
digest=$(digest_of "$REPOSITORY:$tag" 2>"$work/answer") || build "the registry says about $REPOSITORY:$tag: $(tail -n 1 "$work/answer")"
echo "digest=$digest" >>"$GITHUB_OUTPUT"
echo "Nothing is built: the registry has $REPOSITORY:$tag, which is $digest."
