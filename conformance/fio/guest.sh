#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# /init of the guest: mounts a share in each of the ways of MODES and lets fio write to it and verify what it reads, while the
# host cuts the connection between CUT and the case.
. /start

# What fio says of errors stands above its statistics.
seen() { { grep -E 'verify|fio:|err= *[1-9]' /tmp/log || tail -n 20 /tmp/log; } | head -c 1500 | tr '\n' ' '; }
# hard: requests wait for the server to come back.
mount_share() {
  mount -t cifs //10.0.2.2/$share /mnt \
    -o "ip=10.0.2.2,port=$PORT,vers=3.1.1,username=$USERNAME,password=$PASSWORD,sec=ntlmssp,hard,$option"
}
unmount_share() { umount /mnt; }
# The kernel shows the options that are in force, and not those that it was given.
option_in_force() { grep ' /mnt cifs ' /proc/mounts | tee /dev/stderr | grep -q "$option"; }

for mode in $MODES; do
  prefix=$mode
  case $mode in
  persistent) share=ca option=persistenthandles ;;
  resilient) share=data option=resilienthandles ;;
  *) share=data option=noresilienthandles ;;
  esac
  check mount mount_share
  mount | grep -q ' /mnt type cifs' || continue
  [ $mode = durable ] || check $option option_in_force
  mkdir /mnt/$mode
  echo "CUT $mode"
  check verify $FIO $FIO_OPTIONS --directory=/mnt/$mode --verify_backlog=24 $FIO_JOBS
  # What each job counted of requests that the client had given up.
  echo "ERRORS $mode $(grep -o 'errors *: total= *[0-9]*' /tmp/log | tr '\n' ' ')"
  check unmount unmount_share
done
echo "GUEST done"
poweroff -f
