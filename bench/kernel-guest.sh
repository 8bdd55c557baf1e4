#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# /init of the guest whose kernel is the client of the group `kernel`: does with the mounted shares what the host asks on the console.
. /start

# mount_share POINT PORT SHARE USER PASSWORD OPTIONS: each mount has a connection of its own.
mount_share() {
  mkdir -p $1 && mount -t cifs //10.0.2.2/$3 $1 \
    -o "ip=10.0.2.2,port=$2,vers=3.1.1,username=$4,password=$5,iocharset=utf8,serverino,mapposix,nosharesock,$6"
}
# make_source MEBIBYTES: the file that is written.
make_source() { dd if=/dev/urandom of=/tmp/source bs=1M count=$1; }
# make_tree FOLDERS FILES: an archive of so many folders with so many files of 4 KiB each.
make_tree() {
  rm -rf /tmp/tree && mkdir /tmp/tree || return 1
  content=$(head -c 4095 /dev/zero | tr '\0' x)
  folder=0
  while [ $folder -lt $1 ]; do
    mkdir /tmp/tree/folder-$folder || return 1
    file=0
    while [ $file -lt $2 ]; do
      echo "$content" >/tmp/tree/folder-$folder/file-$file.txt || return 1
      file=$((file + 1))
    done
    folder=$((folder + 1))
  done
  tar -C /tmp -cf /tmp/tree.tar tree && rm -r /tmp/tree
}

# What is measured, and what goes before it, below the POINT where a share is mounted.
erase() { rm -rf $1/written $1/copied-* $1/tree && forget; }
write_file() { dd if=/tmp/source of=$1/written bs=1M conv=fsync; }
read_file() { dd if=$1/stream of=/dev/null bs=1M; }
# copy_file POINT COPIES: with one copy_file_range each, which is FSCTL_SRV_COPYCHUNK_WRITE.
copy_file() {
  copy=0
  while [ $copy -lt $2 ]; do
    $XFS_IO -f -c "copy_range $1/stream" $1/copied-$copy || return 1
    copy=$((copy + 1))
  done
}
unpack() { tar -C $1 -xf /tmp/tree.tar; }
list() { ls -lR $1/tree; }
read_tree() { find $1/tree -type f -exec cat {} + | wc -c; }
remove() { rm -r $1/tree; }
# What the client keeps open and believes for a second is over, and what it has cached is forgotten.
settle() { sleep 2 && forget; }
obey
