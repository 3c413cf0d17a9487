#!/usr/bin/env bash
# Builds a target of the Dockerfile without a Docker daemon, and tries it: started as its own user on a read-only root file
# system, called from outside with the SDK, asked for its health, stopped by SIGTERM. Of the cuda target: that its libraries
# are there, that it refuses where there is no GPU, that it serves on the CPU, and over the fake CUDA runtime of tests/cuda.
#
#   deploy/build-image.sh [MODEL_DIR]        [models/all-MiniLM-L6-v2]
#
# Environment:
#   TARGET       cpu or cuda [cpu]
#   BASE         a base image with Python 3.11 and venv [a Debian bookworm, made here with debootstrap]
#   IMAGE        the name of what is built [localhost/polyseme:TARGET]
#   EXTRAS       of the package, with commas between them, as otel [none]
#   ARCHIVE      a file to write the image to, for `docker load` [none]
#   PYTHON       an interpreter with polyseme's SDK [.venv/bin/python]
#   FAKE         where the fake CUDA runtime was built, for cuda [.cache/cuda]
#   WORK         where base, image and logs are kept between runs [.cache/image]
#   PIP_CONFIG_FILE, or PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_TRUSTED_HOST, PIP_PROXY, PIP_DEFAULT_TIMEOUT, PIP_CERT:
#                given to the build as secrets; the image is searched for them afterwards
#   DEBIAN_MIRROR  for debootstrap [its own default]
#
# Exit code: 0 built and tried, 1 something failed, 3 the means to build are missing here.
set -euo pipefail
cd "$(dirname "$0")/.."

TARGET=${TARGET:-cpu}
MODEL=$(realpath "${1:-models/all-MiniLM-L6-v2}")
IMAGE=${IMAGE:-localhost/polyseme:$TARGET}
PYTHON=${PYTHON:-.venv/bin/python}
FAKE=$(realpath -m "${FAKE:-.cache/cuda}")
WORK=$(realpath -m "${WORK:-.cache/image}")

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}
ms_since() { echo "$((($(date +%s%N) - $1) / 1000000)) ms"; }

# --- what is needed --------------------------------------------------------------------------------------------------

missing=()
[[ $TARGET =~ ^(cpu|cuda)$ ]] || missing+=("a target of this name: TARGET=$TARGET; cpu or cuda")
[[ $(id -u) == 0 ]] || missing+=("root (for mounts and chroot)")
needed=(buildah unshare nsenter setpriv chroot)
[[ -n ${BASE:-} ]] || needed+=(debootstrap)
for program in "${needed[@]}"; do
  command -v "$program" >/dev/null || missing+=("$program")
done
"$PYTHON" -c 'import polyseme.client' 2>/dev/null || missing+=("$PYTHON with polyseme's SDK: make venv")
[[ $TARGET != cuda || -f $FAKE/cuda/libcudart.so.13 ]] || missing+=("the fake CUDA runtime in $FAKE: make image-cuda")
[[ -f $MODEL/manifest.json ]] || missing+=("an artifact in $MODEL: make demo")
if ((${#missing[@]})); then
  printf 'cannot build the image here; missing:\n' >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 3
fi

mkdir -p "$WORK"
scratch=$(mktemp -d)
container='' server=''
clean_up() {
  [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
  [[ -z $container ]] || images rm "$container" >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap clean_up EXIT

# Storage of its own: nothing of the machine's is touched, and vfs needs no kernel support.
images() { buildah --root "$WORK/storage" --runroot "$WORK/run" --storage-driver vfs "$@"; }

# --- the base --------------------------------------------------------------------------------------------------------

make_base() {
  local root=$scratch/base base
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" \
    ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$WORK/debootstrap.log" 2>&1 || fail "debootstrap: see $WORK/debootstrap.log"
  # Nothing of this machine stays in it: not where packages came from, nor its name, nor its resolver.
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/etc/apt/sources.list \
    "$root"/usr/share/{doc,man,info,locale}/* "$root"/etc/{hostname,resolv.conf,machine-id}
  tar --numeric-owner -C "$root" -cf "$scratch/base.tar" .
  base=$(images from scratch)
  images add --quiet "$base" "$scratch/base.tar" / >/dev/null
  images commit --quiet --format docker --rm "$base" "$1" >/dev/null
  rm -rf "$root" "$scratch/base.tar"
}

if [[ -z ${BASE:-} ]]; then
  BASE=localhost/debian-python:bookworm
  if ! images inspect --type image "$BASE" >/dev/null 2>&1; then
    say "base: Debian bookworm with Python 3.11, by debootstrap"
    make_base "$BASE"
  fi
fi

# --- the build -------------------------------------------------------------------------------------------------------

if [[ -n ${PIP_CONFIG_FILE:-} && -f $PIP_CONFIG_FILE ]]; then
  cp "$PIP_CONFIG_FILE" "$scratch/pip.conf"
else
  {
    echo '[global]'
    [[ -z ${PIP_INDEX_URL:-} ]] || echo "index-url = $PIP_INDEX_URL"
    [[ -z ${PIP_EXTRA_INDEX_URL:-} ]] || echo "extra-index-url = $PIP_EXTRA_INDEX_URL"
    [[ -z ${PIP_TRUSTED_HOST:-} ]] || echo "trusted-host = $PIP_TRUSTED_HOST"
    [[ -z ${PIP_PROXY:-} ]] || echo "proxy = $PIP_PROXY"
    [[ -z ${PIP_DEFAULT_TIMEOUT:-} ]] || echo "timeout = $PIP_DEFAULT_TIMEOUT"
    [[ -z ${PIP_CERT:-} ]] || echo "cert = /run/secrets/ca"
  } >"$scratch/pip.conf"
fi
secrets=(--secret "id=pip,src=$scratch/pip.conf")
[[ -z ${PIP_CERT:-} ]] || secrets+=(--secret "id=ca,src=$PIP_CERT")

version=$("$PYTHON" -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')
revision=$(git describe --always --dirty --exclude='*' --abbrev=12 2>/dev/null || echo unknown)

say "build: $IMAGE from $BASE"
started=$SECONDS
images bud --format docker --isolation chroot --network host --target "$TARGET" "${secrets[@]}" \
  --build-arg "BASE=$BASE" --build-arg "EXTRAS=${EXTRAS:-}" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  --tag "$IMAGE" . >"$WORK/build.log" 2>&1 || {
  tail -n 30 "$WORK/build.log" >&2
  fail "buildah: see $WORK/build.log"
}
images rmi --prune --force >/dev/null 2>&1 || true # what the name stood for before
echo "built in $((SECONDS - started)) s"

# --- what it is ------------------------------------------------------------------------------------------------------

container=$(images from --pull-never "$IMAGE")
root=$(images mount "$container")
images inspect --type image "$IMAGE" >"$scratch/inspect.json"

say "image"
"$PYTHON" deploy/image/facts.py "$scratch/inspect.json" "$scratch" || fail "the image's configuration"
mapfile -d '' -t user <"$scratch/user"
mapfile -d '' -t environment <"$scratch/env"
mapfile -d '' -t command <"$scratch/command"
mapfile -d '' -t health <"$scratch/health"
megabytes() { echo "$((($(du -xsB1 --apparent-size "$1" | cut -f1) + 500000) / 1000000))"; }
whole=$(megabytes "$root") ours=$(megabytes "$root/opt/polyseme")
printf '%-18s %s\n' 'size' "$whole MB, uncompressed: base $((whole - ours)) MB, /opt/polyseme $ours MB"

[[ ${user[0]} =~ ^[0-9]+$ && ${user[0]} != 0 ]] || fail "the image's user is not a number other than 0: ${user[*]}"

# What must not be in it: what only the build needs, and what only this machine knows.
shopt -s nullglob
for unwanted in "$root"/opt/polyseme/lib/python3*/site-packages/{torch,onnx,transformers,pip,hatchling} \
  "$root"/usr/bin/{gcc,g++,cc,make} "$root"/{src,pip,root/.cache,etc/pip.conf} "$root"/run/secrets/*; do
  [[ ! -e $unwanted ]] || fail "the image holds ${unwanted#"$root"}"
done
for setting in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_PROXY; do
  [[ -n ${!setting:-} ]] || continue
  ! grep -rqF -- "${!setting}" "$scratch/inspect.json" "$root/etc" "$root/opt" || fail "the image holds $setting"
done
if [[ -n ${PIP_CERT:-} ]]; then
  sum=$(sha256sum <"$PIP_CERT")
  while IFS= read -r -d '' file; do
    [[ $(sha256sum <"$file") != "$sum" ]] || fail "the image holds PIP_CERT as ${file#"$root"}"
  done < <(find "$root" -xdev -type f -size "$(stat -Lc %s "$PIP_CERT")c" -print0)
fi
if [[ ,${EXTRAS:-}, == *,otel,* ]]; then
  for needed in "$root"/opt/polyseme/lib/python3*/site-packages/opentelemetry/{sdk,exporter/otlp/proto/grpc}; do
    [[ -d $needed ]] || fail "the image lacks ${needed#"$root"}"
  done
fi
[[ $TARGET == cuda ]] && part=gpu || part=server
printf '%-18s %s\n' 'in it' "polyseme[$part${EXTRAS:+,$EXTRAS}]"
printf '%-18s %s\n' 'not in it' "torch, onnx, pip in the environment, a compiler, pip's cache and settings, the build's secrets"

# --- the trial -------------------------------------------------------------------------------------------------------

read -r port metrics_port < <("$PYTHON" -c '
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in taken))')
environment+=("POLYSEME_HOST=127.0.0.1" "POLYSEME_PORT=$port" "POLYSEME_METRICS_PORT=$metrics_port")
environment+=("POLYSEME_TARGET=127.0.0.1:$port")

# shellcheck source=deploy/image/trial.sh
. deploy/image/trial.sh

say "what it may do inside"
as_container
# shellcheck disable=SC2016  # for the shell inside
"${contained[@]}" /bin/sh -c '
  status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
  echo "uid $(id -u), gid $(id -g), capabilities $(status CapEff), no new privileges $(status NoNewPrivs)"
  for place in / /etc /opt/polyseme /var/tmp /models; do
    ! message=$( (: >"$place/probe") 2>&1) || { echo "wrote to $place"; exit 1; }
    case $message in *"Read-only file system"*) echo "$place: read-only" ;; *) echo "$message"; exit 1 ;; esac
  done
  : >/tmp/probe && echo "/tmp: can be written"
' || fail "what it may do inside"

case $TARGET in
  cpu)
    say "${command[*]}"
    try_serving
    ;;
  cuda)
    # shellcheck source=deploy/image/cuda.sh
    . deploy/image/cuda.sh
    ;;
esac

if [[ -n ${ARCHIVE:-} ]]; then
  rm -f "$ARCHIVE"
  images push --quiet "$IMAGE" "docker-archive:$ARCHIVE:$IMAGE"
  say "written: docker load -i $ARCHIVE"
fi
say "passed: $IMAGE"
