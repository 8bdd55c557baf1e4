#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# /init of the guest: sets up the Linux kernel's target (LIO) as the host asks on the console.

# The target's module looks for this folder.
/bin/busybox mkdir -p /var/target
. /start
mount -t configfs configfs /sys/kernel/config
config=/sys/kernel/config
mkdir $config/target/iscsi

# set_to FILE VALUE: writes an attribute, without a newline, which would belong to it; what the kernel refuses is an error.
set_to() { printf %s "$2" >"$1" || { echo "$1 does not take $2"; return 1; }; }
# file NAME BYTES BLOCK: a backend on a file.
file() {
  store=$config/target/core/fileio_0/$1
  mkdir -p $store && set_to $store/control "fd_dev_name=/tmp/$1,fd_dev_size=$2,fd_buffered_io=1" &&
    set_to $store/attrib/block_size "$3" && set_to $store/wwn/vpd_unit_serial "$1" && set_to $store/enable 1
}
# disk NAME MEBIBYTES BLOCK: a backend on a block device of this guest's memory that takes discards.
disk() {
  device=$config/nullb/$1
  mkdir $device && set_to $device/size "$2" && set_to $device/blocksize "$3" && set_to $device/memory_backed 1 &&
    set_to $device/discard 1 && set_to $device/power 1 || return 1
  store=$config/target/core/iblock_0/$1
  mkdir -p $store && set_to $store/control "udev_path=/dev/$1" && set_to $store/wwn/vpd_unit_serial "$1" &&
    set_to $store/enable 1 && set_to $store/attrib/emulate_tpu 1 && set_to $store/attrib/emulate_tpws 1
}
# target NAME BACKEND [KEY=VALUE...]: a target with one LUN 0 on two portals; each KEY is a file below its portal group.
target() {
  group=$config/target/iscsi/$1/tpgt_1
  mkdir -p $group/lun/lun_0 $group/np/10.0.2.15:3260 $group/np/10.0.2.15:3261 || return 1
  ln -s $config/target/core/$2 $group/lun/lun_0/backend || return 1
  set_to $group/attrib/authentication 0 && set_to $group/attrib/generate_node_acls 1 &&
    set_to $group/attrib/demo_mode_write_protect 0 || return 1
  shift 2
  for pair in "$@"; do set_to "$group/${pair%%=*}" "${pair#*=}" || return 1; done
  set_to $group/enable 1
}
# remove NAME ID: a target and its backend.
remove() {
  group=$config/target/iscsi/$1/tpgt_1
  set_to $group/enable 0 && rm $group/lun/lun_0/backend && rmdir $group/lun/lun_0 $group/np/* $group $config/target/iscsi/$1 &&
    rmdir $config/target/core/*/$2 || return 1
  case $2 in
  nullb*) set_to $config/nullb/$2/power 0 && rmdir $config/nullb/$2 ;;
  *) rm /tmp/$2 ;;
  esac
}
# hash ID BYTES: of what the backend holds.
hash() {
  case $1 in nullb*) path=/dev/$1 ;; *) path=/tmp/$1 ;; esac
  head -c "$2" $path | sha256sum | cut -d ' ' -f 1
}
# Initiators that are logged in, by the names they gave.
sessions() { tr "\0" "\n" <$config/target/iscsi/$1/tpgt_1/dynamic_sessions; }

obey
