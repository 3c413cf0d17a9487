# What the cuda image is tried for without a GPU. Sourced by build-image.sh; FAKE is tests/cuda's runtime.

packages=$(cd "$root" && echo opt/polyseme/lib/python3*/site-packages)

say "libraries of the CUDA provider"
# libcuda, which the provider is linked to, comes with a driver: the fake one stands in for it, and for nothing else.
mkdir -p "$WORK/driver"
cp "$FAKE/cuda/libcuda.so.1" "$WORK/driver/"
as_container --bind "$WORK/driver:/mnt" LD_LIBRARY_PATH=/mnt
"${contained[@]}" /opt/polyseme/bin/python - <deploy/image/libraries.py || fail "a library that the CUDA provider needs"

say "--device cuda, which is this image's own, without a GPU"
status=0
as_container
"${contained[@]}" "${command[@]}" >"$WORK/server.log" 2>&1 || status=$?
cat "$WORK/server.log"
echo "exit code $status"
[[ $status == 2 && $(wc -l <"$WORK/server.log") == 1 ]] || fail "it did not refuse in one line, with exit code 2"

say "--device auto, without a GPU"
expected='shows no NVIDIA device' try_serving POLYSEME_DEVICE=auto

say "--device cuda, over the fake CUDA runtime of tests/cuda"
# Over NVIDIA's libraries, which would be loaded from where they lie. A driver and its device are the host's.
binds=(--bind "$FAKE:/mnt" --bind "/dev/null:/dev/nvidiactl")
for library in "$FAKE"/{cuda,cudnn}/lib*; do
  for real in "$root/$packages"/nvidia/*/lib/"$(basename "$library")"; do
    [[ ! -e $real ]] || binds+=(--bind "$library:${real#"$root"}")
  done
done
# A tiny model and small batches: each kernel is computed on the host, in the shapes of the warm-up too.
"$PYTHON" -c '
import sys, pathlib
from bench.gpu.lib import models
pathlib.Path(sys.argv[1]).mkdir(exist_ok=True)
models.artifact("tiny", None, pathlib.Path(sys.argv[1]))' "$WORK/models" >"$WORK/models.log" 2>&1 ||
  fail "a tiny model: see $WORK/models.log"
MODEL=$WORK/models/tiny.artifact try_serving "${binds[@]}" POLYSEME_DEVICE=cuda \
  POLYSEME_MAX_BATCH_TOKENS=1024 LD_LIBRARY_PATH=/mnt/cuda FAKE_COMPUTE=1
grep -o 'CUDAExecutionProvider.*' "$WORK/server.log" | head -1 || failed_with_log "it did not run on CUDA"
