# Trying an image as a container would run it. Sourced by build-image.sh, which sets root, user, environment, command and
# health of the image, MODEL, PYTHON, WORK, and where the server listens.

# The command that runs one in the image, into `contained`: [--bind FROM:TO]... [NAME=VALUE]...
as_container() {
  local binds=()
  while [[ ${1:-} == --bind ]]; do
    binds+=("$1" "$2")
    shift 2
  done
  contained=(unshare --mount --pid --fork --kill-child --propagation private
    deploy/image/contain.sh "$root" "$MODEL" "${user[@]}" "${binds[@]}" "${environment[@]}" "$@")
}

failed_with_log() { fail "$1; its log: $(cat "$WORK/server.log")"; }

# A command in the running container's namespaces, as its user: what Docker does for HEALTHCHECK.
inside() {
  nsenter --target "$server" --mount --pid --root --wd=/ --setgid "${user[1]}" --setuid "${user[0]}" \
    /usr/bin/env -i "${environment[@]}" "$@"
}

# Started, asked for its health, called from outside, stopped: [--bind FROM:TO]... [NAME=VALUE]...
# `expected`: the one warning that its log must have; default: none.
try_serving() {
  local started outer state written status=0
  as_container "$@"
  started=$(date +%s%N)
  "${contained[@]}" "${command[@]}" >"$WORK/server.log" 2>&1 &
  outer=$!

  # The one child of unshare, which is process 1 in there.
  until server=$(cat "/proc/$outer/task/$outer/children") && [[ -n ${server:=} ]]; do
    kill -0 "$outer" 2>/dev/null || failed_with_log "it did not start"
    sleep 0.05
  done
  server=${server%% *}

  until state=$(inside "${health[@]}" 2>/dev/null); do
    kill -0 "$server" 2>/dev/null || failed_with_log "it has ended"
    (($(date +%s%N) - started < 60000000000)) || failed_with_log "not healthy within 60 s"
    sleep 0.1
  done
  echo "health check: $state, exit code 0, $(ms_since "$started") after the start"
  started=$(date +%s%N)
  inside "${health[@]}" >/dev/null
  echo "one health check takes $(ms_since "$started")"

  "$PYTHON" deploy/image/call.py "127.0.0.1:$port" "http://127.0.0.1:$metrics_port/metrics" || failed_with_log "a call"
  written=$(inside find /tmp -type f) # a telemetry identifier of onnxruntime's, for one
  [[ -z $written ]] || fail "it wrote $written"
  echo "files that it wrote: none; resident: $(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status") / 1000)) MB"

  started=$(date +%s%N)
  kill -TERM "$server"
  wait "$outer" || status=$?
  server=''
  echo "SIGTERM: exit code $status after $(ms_since "$started")"
  [[ $status == 0 ]] || failed_with_log "exit code $status"
  grep -q 'stopped$' "$WORK/server.log" || failed_with_log "no clean stop"
  if [[ -n ${expected:-} ]]; then
    grep -m 1 "$expected" "$WORK/server.log" || failed_with_log "its log does not say: $expected"
  fi
  ! grep -v "${expected:-^$}" "$WORK/server.log" | grep -E 'Traceback|ERROR|WARNING' || failed_with_log "warnings or errors"
}
