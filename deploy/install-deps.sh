#!/usr/bin/env bash
# Installs the Debian packages that the Makefile's targets need, and only those that are missing.
#
#   deploy/install-deps.sh build    what compiling needs
#   deploy/install-deps.sh all      also what tests and the demo run
#   deploy/install-deps.sh fuzz     what compiling needs, and libFuzzer besides
#
# nginx, etcd and keepalived come as packages that start a service. The tests bring up their own in
# namespaces, so an installation from here starts none and leaves none enabled.
set -euo pipefail

readonly BUILD=(gcc libc6-dev protobuf-compiler libprotobuf-dev)
readonly RUN=(keepalived etcd-server etcd-client nginx-light iproute2 iputils-ping iputils-arping
    tcpdump tshark curl procps util-linux)
readonly FUZZ=(g++)
readonly SERVICES=(keepalived nginx etcd)
readonly POLICY=/usr/sbin/policy-rc.d

say() { printf '%s\n' "$*" >&2; }

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Any package that brings the program will do: nginx-light for nginx, arping for iputils-arping.
is_there() {
    case $1 in
    nginx-light) command -v nginx || [ -x /usr/sbin/nginx ] ;;
    iputils-arping) command -v arping || [ -x /usr/sbin/arping ] ;;
    *) is_installed "$1" ;;
    esac >/dev/null
}

# Answers 101, "do not start it", to every package's installation until we are done.
forbid_services() {
    if [ -e "$POLICY" ]; then
        mv "$POLICY" "$POLICY.before-vipfleet"
    fi
    trap restore_services EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

restore_services() {
    rm -f "$POLICY"
    if [ -e "$POLICY.before-vipfleet" ]; then
        mv "$POLICY.before-vipfleet" "$POLICY"
    fi
}

# A service that came with this installation would start at the next boot.
disable_new_services() {
    [ -d /run/systemd/system ] || return 0
    local service
    for service in "$@"; do
        systemctl disable "$service.service" >/dev/null 2>&1 || true
    done
}

main() {
    local wanted=("${BUILD[@]}") missing=() new_services=() package service
    case ${1:-} in
    build) ;;
    all) wanted+=("${RUN[@]}") ;;
    fuzz) wanted+=("${FUZZ[@]}") ;;
    *)
        say "usage: $0 build|all|fuzz"
        exit 2
        ;;
    esac
    for package in "${wanted[@]}"; do
        is_there "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        exit 0
    fi
    if ! command -v apt-get >/dev/null; then
        say "missing: ${missing[*]}"
        say "this is no Debian: install them (or what they are called here) and run make again"
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        say "missing: ${missing[*]}"
        say "run as root: apt-get install --no-install-recommends ${missing[*]}"
        exit 1
    fi
    for service in "${SERVICES[@]}"; do
        [ -e "/lib/systemd/system/$service.service" ] || new_services+=("$service")
    done
    say "installing: ${missing[*]}"
    forbid_services
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null
    disable_new_services ${new_services[@]+"${new_services[@]}"}
}

main "$@"
