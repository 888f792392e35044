#!/bin/sh
# The main job on this machine, in one folder: a local cloud, supervisord with the shipped fragments, a gateway that activates, an app that
# is built, deployed over the air, seen running, and updated. Needs no root, leaves nothing running (KEEP=1 leaves it up). supervisord is our
# own; HOSTING=python takes supervisor's, from .venv.

set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
folder=${DEMO_DIR:-$top/.demo}
root=$folder/root
serial=demo-gateway-1
app=hello_gateway
KEEP=${KEEP:-0}
HOSTING=${HOSTING:-own}

# What this script started, by pid; and the longest it waits for anything, in seconds.
pids=
PATIENCE=60

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

stop() {
	# supervisord ends what it hosts; the server comes last.
	for pid in $pids; do
		kill -TERM "$pid" 2>/dev/null || continue
		wait "$pid" 2>/dev/null || true
	done
}

finish() {
	status=$?
	trap - EXIT INT TERM
	if [ "$KEEP" = 1 ] && [ "$status" = 0 ]; then exit 0; fi
	if [ "$status" != 0 ] && [ -d "$root/var/log" ]; then
		printf '\ndemo: failed; the end of the logs:\n' >&2
		tail -n 20 "$folder"/*.log "$root"/var/log/*.log >&2 || true
	fi
	stop
	exit "$status"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
	limit=$1 what=$2
	shift 2
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt $((limit * 5)) ] || fail "$what did not happen within $limit s"
		sleep 0.2
	done
}

has() { "$1" product device read "$serial" "$2" | grep -q "$3"; }
installed() { has murano fetch_status "installed $app v$1"; }
reported() { has murano engine_report "\"version\":\"$1\""; }
gateway_is_up() { supervisorctl status gwe | grep -q RUNNING; }
server_is_up() { murano content list; }
activated() { murano product device list | grep "$serial" | grep -q activated; }

# The image's files below this folder: the same list that recipes install, with every path moved.
install_gateway() {
	make -s -C "$top" install DESTDIR="$root" INIT=none DOCS=no HOSTING="$HOSTING" BINARY="$top/target/release/gwe" \
		PRODUCT_ID=demo IFACE= SERVER="$MURANO_URL" UPDATE_INTERVAL=2
	mkdir -p "$root/var/run" "$root/var/log" "$root/var/lib/gwe/supervisor.d" "$root/run/gwe"
	sed -i -e "s|/etc/|$root/etc/|g" -e "s|/var/|$root/var/|g" -e "s|/usr/bin/|$root/usr/bin/|g" -e '/^user = root/d' \
		"$root/etc/gwe/supervisord.conf" "$root"/etc/gwe/supervisor.d/*.conf
	# gmq listens on a fixed port, which something else may use here: it is left out of what starts by itself.
	[ "${DEMO_GMQ:-no}" = yes ] || rm -f "$root/etc/gwe/supervisor.d/gmq.conf"
}

# version VERSION GREETING: the sample app with that greeting.
build_app() {
	mkdir -p "$folder/app"
	cp -R "$top/tests/demo/hello/." "$folder/app/"
	printf '%s\n' "$2" >"$folder/app/greeting.txt"
	show gwe --build-app "$folder/app/buildfile.json" --app-version "$1"
}

deploy() {
	show murano content upload "$app.v$1.tar.gz" "$app.v$1.tar.gz"
	show murano product device write "$serial" engine_fetch "{\"install\": [{\"name\": \"$app.v$1.tar.gz\"}]}"
	wait_for "$PATIENCE" "the installation of $app v$1" installed "$1"
	show murano product device read "$serial" fetch_status
}

if [ "$HOSTING" = python ]; then programs=$top/.venv/bin; else programs=$root/usr/bin; fi
supervisorctl() { "$programs/supervisorctl" -c "$root/etc/gwe/supervisord.conf" "$@" 2>/dev/null; }

[ ! -e "$folder/running" ] || fail "a demo is up in $folder; end it with: sh $folder/stop.sh"
rm -rf "$folder"
mkdir -p "$folder" "$root"
trap finish EXIT
trap 'exit 130' INT TERM
PATH=$root/usr/bin:$top/tests/target/debug:$PATH
export PATH GWE_ROOT="$root"

step "1. A local cloud: murano serves the Device API on loopback"
murano serve --listen 127.0.0.1:0 --data "$folder/cloud" --for 3600 >"$folder/murano.log" 2>&1 &
pids=$!
wait_for "$PATIENCE" "the server's start" grep -q 'listening on' "$folder/murano.log"
MURANO_URL=$(sed -n 's/.*listening on \(http[^ ]*\).*/\1/p' "$folder/murano.log" | head -n 1)
export MURANO_URL
show murano product device add "$serial"

step "2. A gateway: the image's files in $root, and supervisord with the shipped fragments"
install_gateway
show gwe --set-uuid "$serial"
env -u MAKEFLAGS "$programs/supervisord" -n -c "$root/etc/gwe/supervisord.conf" >"$folder/supervisord.log" 2>&1 &
pids="$! $pids"
wait_for "$PATIENCE" "gwe's start" gateway_is_up
show supervisorctl status

step "3. The gateway activates itself"
wait_for "$PATIENCE" "the activation" activated
show murano product device list

step "4. Build an app"
cd "$folder"
build_app 1.0.0 "Hello from version 1"
show gwe --check-tarball "$app.v1.0.0.tar.gz"

step "5. Deploy it over the air"
deploy 1.0.0
show supervisorctl status
sleep 1
show tail -n 1 "$root/var/log/$app.log"

step "6. Deploy version 2 over version 1"
build_app 2.0.0 "Hello from version 2"
deploy 2.0.0
wait_for "$PATIENCE" "the report of version 2" reported 2.0.0
show supervisorctl status
sleep 1
show tail -n 1 "$root/var/log/$app.log"

step "7. What the fleet's operator sees"
for alias in engine_report device_info usage_report; do
	printf '$ murano product device read %s %s\n' "$serial" "$alias"
	murano product device read "$serial" "$alias"
	printf '\n'
done
show gwe --status

supervisorctl status "$app" | grep -q RUNNING || fail "$app is not running"
tail -n 1 "$root/var/log/$app.log" | grep -q 'version 2' || fail "version 1 still runs"

if [ "$KEEP" = 1 ]; then
	: >"$folder/running"
	cat >"$folder/stop.sh" <<-END
		for pid in $pids; do kill -TERM "\$pid" 2>/dev/null; done
		rm -f '$folder/running'
	END
	cat <<-END

		== The demo is up for an hour. Look at it: $MURANO_URL/
		Play with it:
		export GWE_ROOT=$root MURANO_URL=$MURANO_URL PATH=$root/usr/bin:$top/tests/target/debug:\$PATH
		gwe --status
		murano product device write $serial update_interval 5
		$programs/supervisorctl -c $root/etc/gwe/supervisord.conf status
		sh $folder/stop.sh    # ends it
	END
else
	step "Done: nothing is left running; the files are in $folder"
fi
