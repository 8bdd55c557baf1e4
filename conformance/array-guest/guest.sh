#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# /init of the guest: logs in to the simulated array with the Linux kernel's initiator and works on its LUNs.
. /start
mkdir -p /run/lock/iscsi /var/lib/iscsi /etc/iscsi
echo "InitiatorName=iqn.2026-01.com.example:guest" >/etc/iscsi/initiatorname.iscsi
: >/etc/iscsi/iscsid.conf

# The device of a LUN: by its place in the SCSI address, once the kernel has found it.
disk() {
  for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    for path in /sys/class/scsi_device/*:$1/device/block/*; do
      if [ -e "$path" ]; then basename "$path"; return; fi
    done
    sleep 0.5
  done
  return 1
}
# bytes HEX...: writes the bytes.
bytes() { for byte in "$@"; do printf "\\x$byte"; done; }

login() {
  iscsistart -i iqn.2026-01.com.example:guest -t "$TARGET" -g 1 -a 10.0.2.2 -p "$PORT" -u "$CHAP_USER" -w "$CHAP_SECRET" \
    -U "$MUTUAL_USER" -W "$MUTUAL_SECRET" -P node.conn[0].iscsi.HeaderDigest=CRC32C -P node.conn[0].iscsi.DataDigest=CRC32C
}
devices() { a=/dev/$(disk 0) && b=/dev/$(disk 1) && c=/dev/$(disk 2) && [ -b "$a" ] && [ -b "$b" ] && [ -b "$c" ]; }
digests() {
  [ "$(cat /sys/class/iscsi_connection/connection*/header_digest)" = 1 ] &&
    [ "$(cat /sys/class/iscsi_connection/connection*/data_digest)" = 1 ]
}
kernel_view() {
  [ "$(blockdev --getss $c)" = 4096 ] && [ "$(cat /sys/block/${a#/dev/}/queue/physical_block_size)" = 4096 ] &&
    [ "$(cat /sys/block/${a#/dev/}/queue/rotational)" = 0 ] && [ "$(cat /sys/block/${a#/dev/}/queue/discard_max_bytes)" -gt 0 ]
}
vpd_pages() {
  for page in sv sn di bl bdc lbpv tpc; do sg_vpd --page=$page $a || return 1; done
}
third_party_copy() { sg_vpd --page=tpc $a | tee tpc && grep -q "Write using token" tpc && grep -q "Block Device ROD Token Limits\|Block device ROD token limits" tpc; }
capacity() { sg_readcap --16 $c >cap && cat cap && grep -q "lbpme=1, lbprz=1" cap && grep -q "length=4096" cap; }

# POPULATE TOKEN of 2048 blocks from LBA 32768, list identifier 7.
populate() {
  bytes 00 1e 00 00 00 00 00 00 00 00 00 00 00 00 00 10 00 00 00 00 00 00 80 00 00 00 08 00 00 00 00 00 >populate
  sg_raw -s 32 -i populate $a 83 10 00 00 00 00 00 00 00 07 00 00 00 20 00 00
}
token_information() {
  sg_raw -r 1024 -o information $a 84 07 00 00 00 07 00 00 00 00 00 00 04 00 00 00 && [ "$(wc -c <information)" = 550 ] &&
    dd if=information bs=1 skip=38 count=512 of=token
}
information_is_gone() { ! sg_raw -r 1024 -o again $a 84 07 00 00 00 07 00 00 00 00 00 00 04 00 00 00; }
# write_using_token TOKEN: to LBA 12288 of the second LUN, list identifier 8.
write_using_token() {
  { bytes 02 26 00 00 00 00 00 00 00 00 00 00 00 00 00 00; cat "$1"; bytes 00 00 00 00 00 00 00 10 00 00 00 00 00 00 30 00 00 00 08 00 00 00 00 00; } >write
  sg_raw -s 552 -i write $b 83 11 00 00 00 00 00 00 00 08 00 00 02 28 00 00
}
fill_source() { dd if=/dev/urandom of=data bs=512 count=2048 && dd if=data of=$a bs=512 seek=32768 conv=fsync; }
# The data of the token are those of its making, whatever came later.
overwrite_source() { dd if=/dev/zero of=$a bs=512 seek=32768 count=2048 conv=fsync; }
copy_arrived() { dd if=$b bs=512 skip=12288 count=2048 iflag=direct of=copy && cmp data copy; }
random_token() {
  dd if=/dev/urandom of=random bs=512 count=1
  ! write_using_token random 2>&1 | tee said
  grep -qi "token unknown" said
}
all_tokens() { sg_raw -r 4096 -o tokens $a 84 08 00 00 00 00 00 00 00 00 00 00 10 00 00 00 && [ "$(wc -c <tokens)" = 104 ]; }

file_system() {
  $MKE2FS -q -t ext4 -F $c && mount -t ext4 -o discard $c /mnt && dd if=/dev/urandom of=/mnt/file bs=1M count=48 && sync &&
    before=$(sum /mnt/file) && umount /mnt && mount -t ext4 -o discard $c /mnt && [ "$(sum /mnt/file)" = "$before" ]
}
many_files() {
  n=0
  while [ $n -lt 500 ]; do echo "content $n" >/mnt/file-$n || return 1; n=$((n + 1)); done
  forget
  [ "$(cat /mnt/file-* | wc -l)" = 500 ] && [ "$(cat /mnt/file-217)" = "content 217" ]
}
trim() { rm /mnt/file && sync && fstrim -v /mnt; }
clean() { umount /mnt && $MKE2FS_CHECK -fn $c; }
large_write() {
  dd if=/dev/urandom of=large bs=1M count=64 && dd if=large of=$a bs=1M seek=32 conv=fsync &&
    echo 3 >/proc/sys/vm/drop_caches && dd if=$a of=back bs=1M skip=32 count=64 iflag=direct && cmp large back &&
    echo "SUM large $(sum large)" >/dev/console
}
# The first read of this block hangs, by a switch of the host: the kernel aborts it and reads again.
aborted_and_repeated() {
  echo 2 >/sys/block/${a#/dev/}/device/timeout
  start=$(cut -d . -f 1 /proc/uptime)
  dd if=$a of=/dev/null bs=4096 count=1 skip=7000 iflag=direct && [ $(($(cut -d . -f 1 /proc/uptime) - start)) -ge 2 ]
}

check login login
check devices devices
check digests digests
check kernel-view kernel_view
check vpd-pages vpd_pages
check third-party-copy-page third_party_copy
check read-capacity capacity
check large-write large_write
check fill-source fill_source
check populate-token populate
check token-information token_information
check information-is-gone information_is_gone
check overwrite-source overwrite_source
check all-tokens all_tokens
check write-using-token write_using_token token
check copy-arrived copy_arrived
check random-token random_token
check file-system file_system
check many-files many_files
check trim trim
check clean clean
check aborted-and-repeated aborted_and_repeated
echo "GUEST done"
poweroff -f
