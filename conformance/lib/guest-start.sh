# SPDX-License-Identifier: Apache-2.0
# /start of every guest, which its /init reads first: folders, file systems, modules and the network, and what the scripts share.
# Results are lines on the console: CASE name pass|fail [what was seen], SUM path sha256 for what the host compares,
# REPLY number ok|failed [what was said] to what the host asks.
/bin/busybox mkdir -p /usr/bin /usr/sbin
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs -o size=80% tmpfs /tmp
# What the host writes on the console does not come back on it.
stty -echo
. /settings
for module in $MODULES; do insmod "/modules/$module" 2>/dev/null; done
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
route add default gw 10.0.2.2
cd /tmp
# The firmware has left its last line open.
echo
echo "GUEST kernel $(uname -r)"

# check NAME COMMAND...: the case passes when the command, usually a function of the script, succeeds. Where $prefix is set, names
# begin with it.
check() {
  name=${prefix:+$prefix.}$1
  shift
  if "$@" >/tmp/log 2>&1; then
    echo "CASE $name pass"
  else
    echo "CASE $name fail $(seen) $(dmesg | grep -v drop_caches | tail -n 6 | tr '\n' ' ')"
  fi
}
# What a case that failed has said; a script that knows better what matters has a function of its own.
seen() { tail -c 600 /tmp/log | tr '\n' ' '; }
sum() { sha256sum "$1" | cut -d ' ' -f 1; }
# Forgets what is cached, so that the next read comes from the other side.
forget() { sync && echo 3 >/proc/sys/vm/drop_caches; }
# obey: carries out what the host asks, one command in a line, for as long as it does.
obey() {
  number=0
  while read -r line; do
    number=$((number + 1))
    set -- $line
    if "$@" >/tmp/log 2>&1; then status=ok; else status=failed; fi
    echo "REPLY $number $status $(tail -c 2000 /tmp/log | tr '\n' ' ')"
  done
}
