#!/bin/sh
# Limits of programs by the kernel's own cgroups, second version, in a machine that has nothing else: emulated, with Debian's kernel, since where tests
# run the first version often has the controllers. A program that takes more memory than it may is ended as a whole and started again, the others and
# the daemon live; the same after a renewal of the core and after a kill -9; below a group that is not the system's root, and for a program that gets
# its limits while the daemon runs. What is left behind is nothing.
# Says "skipped: why" where it cannot run, and succeeds.
# Usage: cgroup.sh
# GWE_BIN: the agent of this machine, with hosting-core beside it; else target/release/gwe.

set -eu
cd "$(dirname "$0")/../.."
folder=$PWD/target/image/x86_64/packages
scratch=$(mktemp -d)
console=${CONSOLE:-$scratch/console}
trap 'rm -rf "$scratch"' EXIT
# Until the machine has to be done, in seconds.
PATIENCE=300

skip() {
	echo "skipped: cgroups: needs $*" >&2
	exit 0
}
[ "$(uname -m)" = x86_64 ] || skip "x86-64"
for tool in qemu-system-x86_64 cpio gzip dpkg-deb busybox; do
	command -v "$tool" >/dev/null || skip "$tool"
done
agent=${GWE_BIN:-$PWD/target/release/gwe}
core=$(dirname "$agent")/hosting-core
for program in "$agent" "$core"; do
	[ -x "$program" ] || skip "$program (make)"
done
mkdir -p "$folder"
# The same that the image test boots.
tools/debian.sh "$folder/busybox" amd64 busybox-static:amd64 || skip "Debian's archive"
kernel=$(APT_CONFIG=$folder/apt/apt.conf apt-cache depends linux-image-cloud-amd64:amd64 | sed -n 's/^ *Depends: \(linux-image[^:]*\).*/\1/p' | head -n 1)
[ -n "$kernel" ] || skip "Debian's lists of amd64"
tools/debian.sh "$folder/kernel" amd64 "$kernel:amd64" || skip "Debian's archive"

root=$scratch/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run" "$root/etc"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
cp "$folder/busybox/bin/busybox" "$agent" "$core" "$root/bin"
ldd "$agent" | sed -n 's/.*[[:space:]]\(\/[^ ]*\) .*/\1/p' | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done
for name in supervisord supervisorctl; do
	ln -s gwe "$root/bin/$name"
done
# What is to be too much comes when asked for, beside a helper that has taken nothing.
cat >"$root/bin/hog" <<'HOG'
#!/bin/sh
echo up
# Without a child meanwhile: what a program leaves keeps its cgroup.
read -r _ </tmp/go
sleep 1111 &
echo $! >/tmp/helper
dd if=/dev/zero of=/dev/null bs=200M count=1
exec sleep 600
HOG
chmod 0755 "$root/bin/hog"
cat >"$root/plain.conf" <<'CONF'
[unix_http_server]
file = /run/s.sock
[supervisord]
logfile = /tmp/s.log
pidfile = /run/s.pid
childlogdir = /tmp
user = root
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix:///run/s.sock
[program:other]
command = sleep 600
startsecs = 0
[program:hog]
command = hog
startsecs = 0
autorestart = true
CONF
{ cat "$root/plain.conf" && printf 'memory_max = 64MB\ncpu_weight = 50\n'; } >"$root/limited.conf"
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup
mkfifo /tmp/go
# Behind what the firmware left on the line.
echo
NAME=gwe.supervisor.hog.hog
say() { echo "SAID $*"; }
# end WHAT...: says that, and the daemon's log.
end() {
	say "$@"
	cat /tmp/s.log
	busybox poweroff -f
}
control() { supervisorctl -c /s.conf "$@"; }
core() { cat /run/s.pid; }
pid_of() { control pid "$1"; }
# until COMMAND...: it succeeds, soon.
until_() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || end "in vain: $*"
		sleep 0.1
	done
}
runs() { control status "$1" | grep -q RUNNING; }
kills() { grep -c 'exited: hog (terminated by SIGKILL; not expected)' /tmp/s.log; }
# At least so often: one that starts at once may be ended once more, while what was ended before still gives its memory back.
killed() { [ "$(kills)" -ge "$1" ]; }
start() {
	supervisord -c /s.conf
	until_ runs hog
	until_ runs other
}
# limits GROUP: what holds for the program that runs in it.
limits() {
	own=$1/$NAME
	say "$2 limits $(cat $own/memory.max) $(cat $own/cpu.weight) $(cat $own/memory.oom.group) $([ "$(pid_of hog)" = "$(head -n 1 $own/cgroup.procs)" ] && echo in it)"
}
# too_much WHAT
too_much() {
	before="$(core) $(pid_of other)"
	killed_before=$(kills)
	echo now >/tmp/go
	until_ killed $((killed_before + 1))
	until_ runs hog
	kill -0 "$(cat /tmp/helper)" 2>/dev/null && say "$1 left its helper"
	[ "$before" = "$(core) $(pid_of other)" ] && runs other && say "$1 killed, others live"
}

cp /limited.conf /s.conf
start
limits /sys/fs/cgroup root
too_much root
kill -USR1 "$(core)"
until_ grep -q 'goes on with all that was there' /tmp/s.log
limits /sys/fs/cgroup renewed
too_much renewed
kill -9 "$(core)"
sleep 1
start
limits /sys/fs/cgroup again
too_much again
control stop hog >/dev/null
say "stopped $(ls -d /sys/fs/cgroup/gwe.* 2>/dev/null | wc -l)"
control start hog >/dev/null
control shutdown >/dev/null
until_ [ ! -e /run/s.sock ]
say "shut down $(ls -d /sys/fs/cgroup/gwe.* 2>/dev/null | wc -l)"

# As in a container or a service: a group of its own, in which it is itself, and so is what keeps it.
box=/sys/fs/cgroup/box
mkdir $box
echo '+memory +cpu' >/sys/fs/cgroup/cgroup.subtree_control
cp /plain.conf /s.conf
echo >/tmp/s.log
(echo 0 >$box/cgroup.procs; start; exec sleep 900) &
until_ runs hog
say "box without limits $(ls -d $box/gwe.* 2>/dev/null | wc -l)"
cp /limited.conf /s.conf
control update >/dev/null
until_ runs hog
limits $box box
too_much box
control reload >/dev/null
until_ sh -c '[ "$(grep -c "supervisord started" /tmp/s.log)" = 2 ]'
until_ runs hog
limits $box reloaded
say "core in $(sed -n 's/^0:://p' "/proc/$(core)/cgroup")"
control shutdown >/dev/null
until_ [ ! -e /run/s.sock ]
end "box $(ls -d $box/gwe.* 2>/dev/null | sed 's/.*box.//' | tr '\n' ' ')"
INIT
chmod 0755 "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$scratch/initrd"

timeout "$PATIENCE" qemu-system-x86_64 -M pc,accel=tcg -cpu max -m 512 -nographic -no-reboot -nic none \
	-kernel "$folder"/kernel/boot/vmlinuz-* -initrd "$scratch/initrd" -append 'console=ttyS0 quiet panic=1 mitigations=off' </dev/null >"$console" 2>&1 || true
log=$folder/../cgroup.log
tr -d '\r' <"$console" >"$log"
grep -E '^SAID' "$log" || true

cat >"$scratch/wanted" <<'WANTED'
SAID root limits 67108864 50 1 in it
SAID root killed, others live
SAID renewed limits 67108864 50 1 in it
SAID renewed killed, others live
SAID again limits 67108864 50 1 in it
SAID again killed, others live
SAID stopped 0
SAID shut down 0
SAID box without limits 0
SAID box limits 67108864 50 1 in it
SAID box killed, others live
SAID reloaded limits 67108864 50 1 in it
SAID core in /box/gwe.core
SAID box gwe.core 
WANTED
grep -E '^SAID' "$log" | diff "$scratch/wanted" - >&2 && exit 0
echo "cgroups: not as it should be; the console is in $log" >&2
exit 1
