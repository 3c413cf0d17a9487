#!/usr/bin/env bash
# Runs a command in an image's root file system as a container would:
#   unshare --mount --pid --fork --propagation private contain.sh ROOT MODEL UID GID [--bind FROM:TO]... [NAME=VALUE]... COMMAND...
# What `docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -v MODEL:/models:ro` does, but for
# the network, which is this machine's. The mounts end with the mount namespace.
set -euo pipefail
root=$1 model=$2 uid=$3 gid=$4
shift 4

mount --bind "$root" "$root"
mount --bind "$model" "$root/models"
mount -o remount,bind,ro "$root/models"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
while [[ $1 == --bind ]]; do
  from=${2%%:*} to=$root${2#*:}
  [[ -e $to ]] || touch "$to"
  mount --bind "$from" "$to"
  shift 2
done
mount -o remount,bind,ro "$root"

# chroot needs three capabilities until it has changed the user, which takes them away.
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid \
  chroot --userspec="$uid:$gid" --groups= "$root" /usr/bin/env -i "$@"
