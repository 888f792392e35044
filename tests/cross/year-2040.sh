#!/bin/sh
# A whole 32-bit machine in the year 2040, after the end of what 32 bits hold of a time: emulated, with Debian's kernel. The gateway wakes with a
# lost clock, sets it to what it kept, checks in, installs a factory app, notes when, sleeps as its sleeper and ends when asked. Then, on another day
# of that machine, a hosted program's log of 3 GB grows on: 32 bits end there too, and qemu-user, whose files are of 64 bits, cannot show it. Debian's own
# programs of that architecture end in 2038, so the script in it calls everything by its whole path and asks no file for its time.
# Says "skipped: why" where it cannot run, and succeeds.
# Usage: year-2040.sh
# GWE_BIN: the agent for armv7, with hosting-core beside it; else make cross builds them.

set -eu
cd "$(dirname "$0")/../.."
folder=$PWD/target/cross/armv7
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The first of January 2040, and a day later.
BEGIN=2208988800
END=2209075200
# Until the machine has to be done, in seconds.
PATIENCE=900

skip() {
	echo "skipped: the year 2040: needs $*" >&2
	exit 0
}
for tool in qemu-system-arm cpio gzip dpkg-deb; do
	command -v "$tool" >/dev/null || skip "$tool"
done
if [ -z "${GWE_BIN:-}" ]; then
	status=0
	tools/cross.sh armv7 none || status=$?
	[ "$status" != 2 ] || skip "what is named above"
	[ "$status" = 0 ] || exit "$status"
	GWE_BIN=$folder/none/gwe
fi
kernel=$(APT_CONFIG=$folder/apt/apt.conf apt-cache depends linux-image-armmp:armhf | sed -n 's/^ *Depends: \(linux-image[^:]*\).*/\1/p' | head -n 1)
[ -n "$kernel" ] || skip "Debian's lists of armhf"
tools/debian.sh "$folder/machine" armhf "$kernel:armhf" busybox-static:armhf || skip "Debian's archive"

root=$scratch/root
mkdir -p "$root/bin" "$root/lib" "$root/var/lib/gwe" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run"
cp "$folder/machine/bin/busybox" "$GWE_BIN" "$(dirname "$GWE_BIN")/hosting-core" "$root/bin"
ln -s gwe "$root/bin/supervisord"
ln -s gwe "$root/bin/supervisorctl"
cat >"$root/large.conf" <<'CONF'
[unix_http_server]
file = /run/large.sock
[supervisord]
nodaemon = true
logfile = /tmp/large.log
pidfile = /run/large.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix:///run/large.sock
[program:talker]
command = /bin/sh -c "echo beyond; exec /bin/busybox sleep 600"
stdout_logfile = /tmp/talker.log
stdout_logfile_maxbytes = 0
CONF
for library in ld-linux-armhf.so.3 libc.so.6 libgcc_s.so.1 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1; do
	found=$(find "$folder/sysroot/lib" "$folder/sysroot/usr/lib" -name "$library" | head -n 1)
	[ -z "$found" ] || cp -L "$found" "$root/lib"
done
make -s install-config DESTDIR="$root" GMQ=no PRODUCT_ID=p1 IFACE= SERVER=http://127.0.0.1:1 CHECKER=true
sed -i "s/^uuid = .*/uuid = '00:11:22:33:44:55'/" "$root/etc/gwe/Gateway.cfg"
echo "$BEGIN" >"$root/var/lib/gwe/last_known_time"
mkdir "$scratch/app"
printf '#!/bin/sh\nexit 0\n' >"$scratch/app/install.sh"
chmod 0755 "$scratch/app/install.sh"
touch -d "@$BEGIN" "$scratch/app/install.sh"
tar -C "$scratch/app" -czf "$root/usr/share/gwe/apps_to_install/lib.v1.tar.gz" install.sh
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs run /run
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox ln -s busybox /bin/sh
/bin/busybox ip link set lo up
# run NAME: an engine, until it has checked in and sleeps; what it noted, what it is then, and how it ends.
run() {
	/bin/gwe >/tmp/log 2>&1 &
	engine=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		/bin/busybox sleep 3
		case "$(/bin/busybox readlink /proc/$engine/exe)" in *memfd:*) break ;; esac
	done
	/bin/busybox cat /tmp/log
	echo "SAID $1 noted $(/bin/busybox cat /run/gwe/last_check_in* | /bin/busybox sed 's/.*"time":\([0-9]*\).*/\1/')"
	echo "SAID $1 sleeper $(/bin/busybox readlink /proc/$engine/exe)"
	kill -TERM $engine
	wait $engine
	echo "SAID $1 status $?"
	echo "SAID $1 kept $(/bin/busybox cat /var/lib/gwe/last_known_time)"
}
run first
/bin/busybox date -s 1970-01-02 >/dev/null
run again
/bin/busybox date -s 2027-01-02 >/dev/null
/bin/busybox truncate -s 3221225472 /tmp/talker.log
/bin/supervisord -c /large.conf &
for _ in 1 2 3 4 5 6 7 8 9 10; do
	/bin/busybox sleep 1
	case "$(/bin/supervisorctl -c /large.conf status)" in *RUNNING*) break ;; esac
done
echo "SAID large state $(/bin/supervisorctl -c /large.conf status)"
echo "SAID large tail $(/bin/supervisorctl -c /large.conf tail -7 talker)"
/bin/busybox poweroff -f
INIT
chmod 0755 "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$scratch/initrd"

timeout "$PATIENCE" qemu-system-arm -M virt -cpu cortex-a15 -m 512 -nographic -no-reboot -nic none \
	-kernel "$folder"/machine/boot/vmlinuz-* -initrd "$scratch/initrd" -append 'console=ttyAMA0 quiet panic=1' </dev/null >"$scratch/console" 2>&1 || true
log=$folder/year-2040.log
tr -d '\r' <"$scratch/console" >"$log"
grep -E '^SAID|set forward|installed' "$log" || true

status=0
for run in first again; do
	for name in noted kept; do
		value=$(sed -n "s/^SAID $run $name \([0-9]*\)$/\1/p" "$log")
		if [ -z "$value" ] || [ "$value" -lt "$BEGIN" ] || [ "$value" -gt "$END" ]; then
			echo "the year 2040: $run $name is '$value'"
			status=1
		fi
	done
	for line in "SAID $run sleeper /memfd:gwe (deleted)" "SAID $run status 0"; do
		grep -qxF "$line" "$log" || { echo "the year 2040: not there: $line" && status=1; }
	done
done
for line in 'SAID large state talker .*RUNNING .*' 'SAID large tail beyond'; do
	grep -qx "$line" "$log" || { echo "a log of 3 GB: not there: $line" && status=1; }
done
for word in "set forward to $BEGIN" 'installed lib v1'; do
	grep -qF "$word" "$log" || { echo "the year 2040: not there: $word" && status=1; }
done
[ "$status" = 0 ] || echo "the console is in $log"
exit "$status"
