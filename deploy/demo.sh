#!/usr/bin/env bash
# Dual-master hot standby on this machine: two nginx hosts, a client and a control server, each in
# namespaces of its own; nginx dies, a whole host dies, and a client counts what it loses.
#
#   deploy/demo.sh          run it and clean up              (make demo)
#   KEEP=1 deploy/demo.sh   leave it running to look around  (make demo KEEP=1)
#   deploy/demo.sh down     end one that was left running
#
# Exits with 1 as soon as something is not as it should be. Programs come from VIPFLEET_BIN_DIR,
# by default target/release.
set -Eeuo pipefail
trap 'echo "${BASH_SOURCE[0]}:$LINENO: failed: $BASH_COMMAND" >&2' ERR

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${VIPFLEET_BIN_DIR:-${CARGO_TARGET_DIR:-$ROOT/target}/release}
readonly ROOT BIN SAMPLES=$ROOT/deploy/samples/dual-master
readonly STATE=/tmp/vipfleet-demo PREFIX=vipfleet-demo IFACE=ens33
readonly VIP1=192.168.248.120 VIP2=192.168.248.121
readonly HOSTS=(n1 n2 client ctl)
declare -Ar ADDRESS=([n1]=192.168.248.11 [n2]=192.168.248.12 [client]=192.168.248.100
    [ctl]=192.168.248.10)
KEEP=${KEEP:-}

# ---------------------------------------------------------------------------------------- output

bold='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '   %s\n' "$*"; }
indent() { sed 's/^/   /'; }
good() { printf '   %sok%s  %s\n' "$green" "$plain" "$*"; }

fail() {
    printf '   %sFAILED%s  %s\n' "$red" "$plain" "$*" >&2
    show_logs >&2
    exit 1
}

show_logs() {
    local log
    for log in "$STATE"/*.log; do
        [ -s "$log" ] || continue
        printf -- '---- %s\n' "$log"
        tail -n 40 "$log"
    done
}

# ------------------------------------------------------------------------------------- the hosts

# A host is an init with network, mount and PID namespaces of its own: its /proc shows its own
# processes, its /run is its own, and when its init is killed it is dead at once.
boot() {
    local host=$1 booter
    ip netns add "$PREFIX-$host"
    # shellcheck disable=SC2016  # expanded by the host's own shell
    ip netns exec "$PREFIX-$host" unshare --mount --pid --fork --kill-child --mount-proc \
        bash -c 'mount -t tmpfs -o mode=0755 tmpfs /run
                 mkdir -p /run/up
                 while :; do sleep 1000 & wait; done' </dev/null >"$STATE/$host-init.log" 2>&1 &
    booter=$!
    disown
    wait_for "$host to boot" child_of "$booter"
    child_of "$booter" >"$STATE/$host.pid"
    wait_for "$host's file systems" test -d "/proc/$(cat "$STATE/$host.pid")/root/run/up"
}

child_of() { pgrep -P "$1"; }

wire() {
    local host=$1 namespace=$PREFIX-$1
    ip -n "$PREFIX-switch" link add "port-$host" type veth peer name $IFACE netns "$namespace"
    ip -n "$PREFIX-switch" link set "port-$host" master br0 up
    ip -n "$namespace" link set lo up
    ip -n "$namespace" address add "${ADDRESS[$host]}/24" brd + dev $IFACE
    ip -n "$namespace" link set $IFACE up
}

build_network() {
    local host
    ip netns add "$PREFIX-switch"
    ip -n "$PREFIX-switch" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    ip -n "$PREFIX-switch" link set br0 up
    for host in "${HOSTS[@]}"; do
        boot "$host"
        wire "$host"
    done
}

# Runs a program on a host and waits for it.
on() {
    local host=$1
    shift
    nsenter --target "$(cat "$STATE/$host.pid")" --net --mount --pid -- "$@"
}

# Starts a daemon on a host: its pid there is in /run/NAME.started, its output in HOST-NAME.log.
start() {
    local host=$1 name=$2
    shift 2
    # shellcheck disable=SC2016
    on "$host" sh -c 'echo $$ >"/run/$0.started"; exec "$@"' "$name" "$@" \
        </dev/null >>"$STATE/$host-$name.log" 2>&1 &
    disown
}

vipctl() { on ctl env VIPFLEET_SERVER=http://127.0.0.1:7700 "$BIN/vipctl" "$@"; }

start_nginx() {
    local host=$1
    mkdir -p "$STATE/$host-nginx"
    cat >"$STATE/$host-nginx/nginx.conf" <<NGINX
daemon off;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $STATE/$host-nginx/body;
    proxy_temp_path $STATE/$host-nginx/proxy;
    fastcgi_temp_path $STATE/$host-nginx/fastcgi;
    uwsgi_temp_path $STATE/$host-nginx/uwsgi;
    scgi_temp_path $STATE/$host-nginx/scgi;
    server { listen 0.0.0.0:80; location / { return 200 "served by $host\n"; } }
}
NGINX
    start "$host" nginx "$(command -v nginx || echo /usr/sbin/nginx)" \
        -c "$STATE/$host-nginx/nginx.conf" -p "$STATE/$host-nginx" -e stderr
    wait_for "nginx on $host" on "$host" curl -fsS -o /dev/null --max-time 1 http://127.0.0.1/
}

# Master and workers at once: a crash.
crash_nginx() {
    # shellcheck disable=SC2016
    on "$1" sh -c 'master=$(cat /run/nginx.pid); kill -9 "$master" $(pgrep -P "$master")'
}

# The bridge port goes away and every process is killed in the same moment.
kill_host() {
    ip -n "$PREFIX-switch" link set "port-$1" nomaster
    kill -9 "$(cat "$STATE/$1.pid")"
    touch "$STATE/$1.dead"
}

# ---------------------------------------------------------------------------------- expectations

# wait_for WHAT COMMAND...: polls until it succeeds, for 30 s.
wait_for() {
    local what=$1 deadline=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "waited 30 s for $what"
        sleep 0.05
    done
}

# expect WHAT COMMAND...: the same, and says so.
expect() {
    wait_for "$@"
    good "$1"
}

# Kernel truth, not what any daemon believes.
holds() {
    [ ! -e "$STATE/$1.dead" ] || return 1
    ip -n "$PREFIX-$1" -4 -o address show dev $IFACE | grep -qF " $2/"
}

lacks() { ! holds "$1" "$2"; }
owns_alone() { holds "$1" "$2" && lacks "$3" "$2"; }

served_by() {
    [ "$(on client curl -fsS --max-time 2 "http://$2/")" = "served by $1" ]
}

all_healthy() {
    local healthy
    healthy=$(vipctl get vips -o json | grep -o '"health": *"ok"' | wc -l)
    [ "$healthy" -eq 2 ]
}

# ------------------------------------------------------------------------------------- the client

start_client() {
    CLIENTS=()
    local vip
    for vip in "$VIP1" "$VIP2"; do
        ip netns exec $PREFIX-client "$BIN/lab-probe" http "$vip" --max-gap "$1" \
            </dev/null >"$STATE/client-$vip.out" 2>&1 &
        CLIENTS+=("$vip:$!")
    done
    sleep 1
}

stop_client() {
    local entry vip pid verdict=0
    # One more second, so that a gap which is still open shows.
    sleep 1
    for entry in "${CLIENTS[@]}"; do
        kill -TERM "${entry#*:}"
    done
    for entry in "${CLIENTS[@]}"; do
        vip=${entry%%:*} pid=${entry#*:}
        wait "$pid" || verdict=1
        say "a request every 10 ms to http://$vip/"
        indent <"$STATE/client-$vip.out" | indent
    done
    [ $verdict -eq 0 ] || fail "the client lost more than it may"
    CLIENTS=()
}

# --------------------------------------------------------------------------------------- clean up

tear_down() {
    local host
    # Agents resign and let go by themselves when they are asked to; here everything goes at once.
    for host in "${HOSTS[@]}"; do
        if [ -s "$STATE/$host.pid" ] && [ ! -e "$STATE/$host.dead" ]; then
            kill -9 "$(cat "$STATE/$host.pid")" 2>/dev/null || true
        fi
        ip netns delete "$PREFIX-$host" 2>/dev/null || true
    done
    ip netns delete "$PREFIX-switch" 2>/dev/null || true
    rm -rf "$STATE"
}

finish() {
    local code=$?
    trap - EXIT
    if [ -n "$KEEP" ] && [ $code -eq 0 ]; then
        look_around
    else
        tear_down
        [ $code -eq 0 ] || printf '\nthe demo FAILED (exit %s)\n' "$code" >&2
    fi
    exit "$code"
}

look_around() {
    heading "Still running. Look around:"
    local enter="nsenter -t \$(cat $STATE/ctl.pid) -n -m -p env"
    enter="$enter VIPFLEET_SERVER=http://127.0.0.1:7700"
    cat <<TEXT
   a shell beside the server        $enter bash
   who has each VIP                 $enter $BIN/vipctl
   follow transitions               $enter $BIN/vipctl watch
   the kernel of host n1            ip -n $PREFIX-n1 address show $IFACE
   a client                         ip netns exec $PREFIX-client curl http://$VIP1/
   a shell on host n2               nsenter -t \$(cat $STATE/n2.pid) -n -m -p bash
   logs                             ls $STATE/*.log
   end it                           deploy/demo.sh down
TEXT
}

# ------------------------------------------------------------------------------------- the story

preflight() {
    local program
    [ "$(id -u)" -eq 0 ] || { echo "the demo makes namespaces: run it as root" >&2; exit 1; }
    for program in vipfleet-server vipfleet-agent vipctl lab-probe; do
        [ -x "$BIN/$program" ] || {
            echo "$BIN/$program is missing: run 'make release', or set VIPFLEET_BIN_DIR" >&2
            exit 1
        }
    done
    if ! mkdir "$STATE" 2>/dev/null; then
        echo "a demo is still there: end it with 'deploy/demo.sh down'" >&2
        exit 1
    fi
}

act_one() {
    heading "Two nginx hosts, a client and a control server, each in namespaces of its own"
    build_network
    start_nginx n1
    start_nginx n2
    start ctl server "$BIN/vipfleet-server" --listen 0.0.0.0:7700 --insecure --data-dir \
        "$STATE/server"
    wait_for "the server" vipctl get nodes
    local server=http://${ADDRESS[ctl]}:7700
    start n1 agent "$BIN/vipfleet-agent" --server "$server" --node lb1 --state-dir "$STATE/lb1"
    start n2 agent "$BIN/vipfleet-agent" --server "$server" --node lb2 --state-dir "$STATE/lb2"
    wait_for "both agents" nodes_are_there
    vipctl get nodes | indent

    heading "Import the pair of keepalived files and wait until both kernels have it"
    say "vipctl import keepalived lb1=lb1.keepalived.conf lb2=… | vipctl apply -f - --wait"
    vipctl import keepalived "lb1=$SAMPLES/lb1.keepalived.conf" \
        "lb2=$SAMPLES/lb2.keepalived.conf" >"$STATE/imported.yaml" 2>"$STATE/import.err" ||
        { cat "$STATE/import.err" >&2; fail "the import was refused"; }
    indent <"$STATE/import.err"
    vipctl apply -f "$STATE/imported.yaml" --wait -m "import of the keepalived pair" | indent
    start_watch
    expect "$VIP1 is on n1 alone" owns_alone n1 $VIP1 n2
    expect "$VIP2 is on n2 alone" owns_alone n2 $VIP2 n1

    heading "Add the nginx check that the files name and never define"
    vipctl apply -f "$SAMPLES/definitions.yaml" --wait -m "watch nginx" | indent
    expect "every instance is healthy" all_healthy
    vipctl | indent
    expect "http://$VIP1/ is served by n1" served_by n1 $VIP1
    expect "http://$VIP2/ is served by n2" served_by n2 $VIP2
}

nodes_are_there() {
    local nodes
    nodes=$(vipctl get nodes -o name)
    [[ $nodes == *lb1* && $nodes == *lb2* ]]
}

lb1_is_missed() { vipctl | grep -qF '1 of 2 nodes connected'; }

start_watch() {
    on ctl env VIPFLEET_SERVER=http://127.0.0.1:7700 NO_COLOR=1 "$BIN/vipctl" watch \
        </dev/null >"$STATE/timeline" 2>"$STATE/ctl-watch.log" &
    disown
}

act_two() {
    heading "nginx on n1 dies"
    start_client 2000
    crash_nginx n1
    expect "n2 holds both VIPs" owns_alone n2 $VIP1 n1
    expect "http://$VIP1/ is served by n2" served_by n2 $VIP1
    stop_client
    vipctl | indent

    heading "nginx on n1 comes back: its VIP follows, and nobody notices"
    start_client 500
    start_nginx n1
    expect "$VIP1 is on n1 alone" owns_alone n1 $VIP1 n2
    expect "http://$VIP1/ is served by n1" served_by n1 $VIP1
    stop_client
}

act_three() {
    heading "The whole host n1 dies: power and cable at once"
    start_client 10000
    kill_host n1
    expect "n2 holds both VIPs" holds n2 $VIP1
    expect "http://$VIP1/ is served by n2" served_by n2 $VIP1
    expect "http://$VIP2/ is served by n2" served_by n2 $VIP2
    stop_client
    expect "the server misses lb1" lb1_is_missed
    vipctl | indent

    heading "What happened (vipctl watch)"
    [ -s "$STATE/timeline" ] || fail "the timeline is empty"
    indent <"$STATE/timeline"
}

main() {
    case ${1:-up} in
    up) ;;
    down)
        KEEP=''
        tear_down
        exit 0
        ;;
    *)
        echo "usage: $0 [up|down]" >&2
        exit 2
        ;;
    esac
    preflight
    trap finish EXIT
    trap 'exit 130' INT TERM
    act_one
    act_two
    act_three
    heading "All as it should be"
}

main "$@"
