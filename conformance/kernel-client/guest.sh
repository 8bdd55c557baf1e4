#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# /init of the guest: mounts the share with every dialect and works on it.
. /start

same() { [ "$(sum "$1")" = "$(sum "$2")" ]; }
# Bytes that the network card has received and sent.
traffic() { awk '/eth0:/ { sub(/.*:/, ""); print $1 + $9 }' /proc/net/dev; }

write_read() {
  dd if=/tmp/source of=$work/large.bin bs=1M && forget && same /tmp/source $work/large.bin &&
    echo "SUM $dir/large.bin $(sum $work/large.bin)" >/dev/console
}
odd_blocks() {
  dd if=/tmp/source of=$work/odd.bin bs=12345 count=97 && forget && dd if=/tmp/source of=/tmp/odd bs=12345 count=97 &&
    same /tmp/odd $work/odd.bin
}
overwrite_inside() {
  cp /tmp/odd $work/patch.bin && dd if=/tmp/source of=$work/patch.bin bs=1000 seek=77 count=5 conv=notrunc &&
    dd if=/tmp/source of=/tmp/odd bs=1000 seek=77 count=5 conv=notrunc && forget && same /tmp/odd $work/patch.bin
}
rename_file() { echo one >$work/before && mv $work/before $work/after && [ ! -e $work/before ] && [ "$(cat $work/after)" = one ]; }
rename_over() { echo new >$work/new && echo old >$work/old && mv -f $work/new $work/old && [ "$(cat $work/old)" = new ] && [ ! -e $work/new ]; }
rename_folder() { mkdir -p $work/here/inner && echo x >$work/here/inner/x && mv $work/here $work/there && [ -e $work/there/inner/x ]; }
make_folders() { mkdir $work/a && mkdir -p $work/a/b/c/d && rmdir $work/a/b/c/d && [ -d $work/a/b/c ] && [ ! -e $work/a/b/c/d ]; }
not_empty() { ! rmdir $work/a/b; }
delete_file() { echo gone >$work/gone && rm $work/gone && [ ! -e $work/gone ] && ! cat $work/gone; }
many_files() {
  mkdir $work/many || return 1
  n=0
  while [ $n -lt 300 ]; do echo "content $n" >$work/many/file-$n || return 1; n=$((n + 1)); done
  forget
  [ "$(ls $work/many | wc -l)" = 300 ] && [ "$(cat $work/many/file-* | wc -l)" = 300 ] && [ "$(cat $work/many/file-217)" = "content 217" ]
}
remove_tree() { rm -r $work/many && [ ! -e $work/many ]; }
append() {
  n=0
  while [ $n -lt 50 ]; do echo "line $n" >>$work/log || return 1; n=$((n + 1)); done
  forget
  [ "$(wc -l <$work/log)" = 50 ] && [ "$(tail -n 1 $work/log)" = "line 49" ]
}
shrink_grow() {
  cp /tmp/odd $work/size && truncate -s 1000 $work/size && forget && [ "$(wc -c <$work/size)" = 1000 ] &&
    truncate -s 100000 $work/size && forget && [ "$(wc -c <$work/size)" = 100000 ] &&
    [ "$(tail -c 99000 $work/size | tr -d '\0' | wc -c)" = 0 ] && dd if=/tmp/odd of=/tmp/head bs=1000 count=1 &&
    dd if=$work/size of=/tmp/head2 bs=1000 count=1 && same /tmp/head /tmp/head2
}
sparse_write() {
  dd if=/tmp/source of=$work/hole bs=4096 seek=1000 count=1 && forget && [ "$(wc -c <$work/hole)" = 4100096 ] &&
    [ "$(head -c 4096000 $work/hole | tr -d '\0' | wc -c)" = 0 ]
}
set_times() { echo t >$work/time && touch -d '2020-01-02 03:04:05' $work/time && forget && [ "$(stat -c %Y $work/time)" = 1577934245 ]; }
unicode() {
  echo u >"$work/größe 日本語 𝄞.txt" && forget && [ "$(cat "$work/größe 日本語 𝄞.txt")" = u ] || return 1
  set -- "$work"/gr*
  [ "$1" = "$work/größe 日本語 𝄞.txt" ]
}
# Characters that Windows reserves go over the wire in the private use area of Unicode.
reserved_names() { echo r >"$work/a:b*c?.txt" && forget && [ "$(cat "$work/a:b*c?.txt")" = r ] && ls $work | grep -qF 'a:b*c?.txt'; }
# The kernel keys a lease by inode, which a server must refuse for the other name: the link is not opened here.
hard_link() {
  echo h >$work/first && ln $work/first $work/second && forget && [ "$(stat -c %h $work/second)" = 2 ] &&
    [ "$(stat -c %i $work/first)" = "$(stat -c %i $work/second)" ] && echo "SUM $dir/second $(sum $work/first)" >/dev/console
}
locking() { flock -x $work/after true && flock -s $work/after true; }
free_space() { set -- $(stat -f -c '%b %f %s' /mnt); [ "$1" -gt 1000 ] && [ "$2" -gt 0 ] && [ "$2" -le "$1" ] && [ "$3" -ge 512 ]; }
outside_refused() {
  for link in leak-absolute leak-relative leak-folder/secret; do
    if grep -q secret /mnt/$link; then echo "$link was served"; return 1; fi
  done
  ! echo planted >/mnt/leak-folder/planted
}
open_and_deleted() {
  echo kept >$work/held && exec 9<$work/held && rm $work/held && [ "$(cat <&9)" = kept ]
  result=$?
  exec 9<&-
  return $result
}
# copies_on_server NAME COMMAND...: the command makes $work/NAME the copy of large.bin. The data must not cross the wire: less
# than a tenth of them may.
copies_on_server() {
  copy=$1
  shift
  forget
  before=$(traffic)
  "$@" || return 1
  moved=$(($(traffic) - before))
  echo "$moved bytes crossed the wire"
  [ $moved -lt $(($(wc -c </tmp/source) / 10)) ] && forget && same /tmp/source $work/$copy &&
    echo "SUM $dir/$copy $(sum $work/$copy)" >/dev/console && echo "SHARED $dir/large.bin $dir/$copy" >/dev/console
}
server_side_copy() { copies_on_server copied.bin $COREUTILS_CP $work/large.bin $work/copied.bin; }
# One copy_file_range: FSCTL_SRV_COPYCHUNK_WRITE.
copy_file_range() { copies_on_server ranged.bin $XFS_IO -f -c "copy_range $work/large.bin" $work/ranged.bin; }
# FICLONE: FSCTL_DUPLICATE_EXTENTS_TO_FILE, which cifs sends with SMB 3 only.
block_clone() { copies_on_server cloned.bin $COREUTILS_CP --reflink=always $work/large.bin $work/cloned.bin; }
# FICLONERANGE of one block, to another place. Linux 6.1 forgets what it has not yet written of the target, hence the fsync.
clone_range() {
  $XFS_IO -f -c "pwrite -q -S 0x55 0 65536" -c fsync -c "reflink $work/large.bin 8192 4096 4096" $work/range.bin && forget &&
    dd if=$work/range.bin of=/tmp/range bs=4096 skip=1 count=1 && dd if=/tmp/source of=/tmp/block bs=4096 skip=2 count=1 &&
    same /tmp/range /tmp/block && [ "$(tail -c 57344 $work/range.bin | tr -d U | wc -c)" = 0 ]
}
# What is written to a copy must not be seen in its source.
clone_diverges() {
  $COREUTILS_CP --reflink=always $work/large.bin $work/changed.bin &&
    echo changed | dd of=$work/changed.bin bs=1 conv=notrunc && forget && same /tmp/source $work/large.bin &&
    ! same /tmp/source $work/changed.bin && [ "$(head -c 7 $work/changed.bin)" = changed ]
}
no_clone() { ! $COREUTILS_CP --reflink=always $work/large.bin $work/cloned.bin; }
wrong_password() { ! mount -t cifs //10.0.2.2/$SHARE /mnt -o "ip=10.0.2.2,port=$PORT,vers=3.1.1,username=$USERNAME,password=wrong,sec=ntlmssp"; }
unknown_share() { ! mount -t cifs //10.0.2.2/nowhere /mnt -o "ip=10.0.2.2,port=$PORT,vers=3.1.1,username=$USERNAME,password=$PASSWORD,sec=ntlmssp"; }
mount_share() {
  mount -t cifs //10.0.2.2/$SHARE /mnt \
    -o "ip=10.0.2.2,port=$PORT,vers=$1,username=$USERNAME,password=$PASSWORD,sec=ntlmssp,iocharset=utf8,serverino,mapposix$2" &&
    mkdir -p $work
}
unmount_share() { umount /mnt; }
# A second mount with a connection, a session and caches of its own: to the server, another client.
mount_second() {
  mkdir -p /mnt2 && mount -t cifs //10.0.2.2/$SHARE /mnt2 \
    -o "ip=10.0.2.2,port=$PORT,vers=$1,username=$USERNAME,password=$PASSWORD,sec=ntlmssp,iocharset=utf8,serverino,mapposix,nosharesock$2"
}
unmount_second() { umount /mnt2; }
# Both sides keep the file open and cached; what one has written, the other reads at once.
coherent_while_open() {
  echo 0 >$work/shared && exec 7<>$work/shared 8<>/mnt2/$dir/shared || return 1
  result=0
  n=1
  while [ $n -le 20 ]; do
    [ $((n % 2)) = 0 ] && side=$work other=/mnt2/$dir || { side=/mnt2/$dir && other=$work; }
    echo "round $n" | dd of=$side/shared bs=4096 conv=notrunc && [ "$(head -n 1 $side/shared)" = "round $n" ] || result=1
    seen=$(head -n 1 $other/shared)
    [ "$seen" = "round $n" ] || { echo "round $n: the other side reads $seen" && result=1; }
    n=$((n + 1))
  done
  exec 7<&- 8<&-
  return $result
}
# What is written late by one mount is there when the other opens the file.
coherent_write_back() {
  dd if=/tmp/source of=$work/late bs=1M && same /tmp/source /mnt2/$dir/late &&
    dd if=/tmp/source of=/mnt2/$dir/late bs=65536 skip=3 count=20 && dd if=/tmp/source of=/tmp/part bs=65536 skip=3 count=20 &&
    same /tmp/part $work/late
}
# Names that one mount makes, moves and removes are seen by the other, though it has just listed the folder: after the second for
# which the kernel believes attributes without asking.
coherent_names() {
  mkdir $work/names && n=1
  while [ $n -le 10 ]; do
    ls /mnt2/$dir/names >/dev/null && echo $n >$work/names/file-$n || return 1
    sleep 2
    ls /mnt2/$dir/names | grep -qx file-$n || { echo "file-$n is not seen" && return 1; }
    [ "$(cat /mnt2/$dir/names/file-$n)" = $n ] || return 1
    n=$((n + 4))
  done
  mv $work/names/file-1 $work/names/moved && sleep 2 && [ "$(ls /mnt2/$dir/names | tr '\n' ' ')" = "file-5 file-9 moved " ] &&
    rm $work/names/moved && sleep 2 && [ "$(ls /mnt2/$dir/names | tr '\n' ' ')" = "file-5 file-9 " ]
}
debug_data() { cat /proc/fs/cifs/DebugData; grep -q "$1" /proc/fs/cifs/DebugData; }

dd if=/dev/urandom of=/tmp/source bs=1M count=16 2>/dev/null
prefix=refusals
check wrong-password wrong_password
check unknown-share unknown_share
for mode in $MODES; do
  version=${mode%%-*}
  option=
  case $mode in
  *-seal) option=,seal ;;
  *-sign) option=,sign ;;
  esac
  prefix=$mode
  dir=work-$mode
  work=/mnt/$dir
  check mount mount_share "$version" "$option"
  if ! mount | grep -q ' /mnt type cifs'; then continue; fi
  [ "$option" != ,seal ] || check encrypted debug_data 'Encrypted\|encrypted'
  check write-and-read write_read
  check odd-blocks odd_blocks
  check overwrite-inside overwrite_inside
  check append append
  check shrink-and-grow shrink_grow
  check sparse-write sparse_write
  check rename-file rename_file
  check rename-over-file rename_over
  check rename-folder rename_folder
  check make-folders make_folders
  check folder-not-empty not_empty
  check delete-file delete_file
  check open-and-deleted open_and_deleted
  check many-files many_files
  check remove-tree remove_tree
  check times set_times
  check unicode-names unicode
  check reserved-names reserved_names
  check hard-link hard_link
  check locks locking
  check free-space free_space
  check server-side-copy server_side_copy
  check copy-file-range copy_file_range
  case $version in
  2.*) check no-block-clone no_clone ;;
  *)
    check block-clone block_clone
    check clone-range clone_range
    check clone-diverges clone_diverges
    ;;
  esac
  check symlink-outside-refused outside_refused
  check second-mount mount_second "$version" "$option"
  if mount | grep -q ' /mnt2 type cifs'; then
    check coherent-while-open coherent_while_open
    check coherent-write-back coherent_write_back
    check coherent-names coherent_names
    check unmount-second unmount_second
  fi
  check unmount unmount_share
done
echo "GUEST done"
poweroff -f
