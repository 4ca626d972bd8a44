#!/usr/bin/env bash
# The long run of the fuzz targets: coverage-guided, by libFuzzer, on the stable toolchain.
#
#   deploy/fuzz.sh RUNS [TARGET...]    RUNS executions of each target, or of those named
#
# What it finds worth keeping stays in target/fuzzing/TARGET/corpus, inputs that fail in
# target/fuzzing/TARGET/failures, what libFuzzer said in target/fuzzing/TARGET/log. KEEP=1 also
# distils the corpus into the tree (fuzz/corpus/TARGET). LENGTH=BYTES caps the inputs.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly ALL=(advert announcement session definitions keepalived)
# Longest inputs: texts need room, but what takes long is run less often.
declare -rA LENGTHS=(
    [advert]=512 [announcement]=32 [session]=2048 [definitions]=2048 [keepalived]=2048
)
# What a reader may take for an input of that length before it counts as a failure, in seconds.
readonly TIMEOUT=20
# How much of a distilled corpus is kept: inputs up to this many bytes.
readonly KEPT_LENGTH=512

say() { printf '%s\n' "$*" >&2; }

# Counters and their table for libFuzzer; comparisons are not traced, which doubles the pace, and
# the dictionaries know the words. No sanitizer: the readers are safe Rust, so what there is to
# find are panics, overflows, broken promises and runaways.
instrumentation() {
    local flags="-Cpasses=sancov-module" flag
    for flag in level=4 inline-8bit-counters pc-table; do
        flags+=" -Cllvm-args=-sanitizer-coverage-$flag"
    done
    printf '%s -Ccodegen-units=1' "$flags"
}

build() {
    local target programs=() flags=()
    read -ra flags <<<"${CARGO_FLAGS:-}"
    for target in "$@"; do
        programs+=(--bin "fuzz-$target")
    done
    # With --target the flags stay away from build scripts.
    RUSTFLAGS="$(instrumentation)" CARGO_INCREMENTAL=0 cargo build --quiet --profile fuzz \
        ${flags[@]+"${flags[@]}"} --target "$TRIPLE" \
        -p vipfleet-fuzz --features libfuzzer "${programs[@]}"
    cargo build --quiet ${flags[@]+"${flags[@]}"} -p vipfleet-fuzz --bin fuzz-seeds
}

run() {
    local target=$1 runs=$2 place="$OUTPUT/$1" options=() status=0
    mkdir -p "$place/corpus" "$place/failures" "fuzz/corpus/$target"
    "$BUILT/debug/fuzz-seeds" "$target" "$place/seeds"
    if [ -e "fuzz/dictionaries/$target.dict" ]; then
        options+=("-dict=fuzz/dictionaries/$target.dict")
    fi
    "$BUILT/$TRIPLE/fuzz/fuzz-$target" \
        -runs="$runs" -max_len="${LENGTH:-${LENGTHS[$target]}}" \
        -timeout="$TIMEOUT" -rss_limit_mb=2048 -print_final_stats=1 -entropic=0 \
        -artifact_prefix="$place/failures/" ${options[@]+"${options[@]}"} \
        "$place/corpus" "$place/seeds" "fuzz/corpus/$target" >"$place/log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        say "$target FAILED; the input is in $place/failures, the end of $place/log:"
        tail -n 30 "$place/log" >&2
        return 1
    fi
    summary "$target" "$place"
}

# One line a target: executions, seconds, coverage, corpus.
summary() {
    local target=$1 place=$2 runs seconds covered
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$place/log")
    seconds=$(sed -n 's/^Done .* in \([0-9]*\) second.*/\1/p' "$place/log")
    covered=$(grep -w DONE "$place/log" | grep -o 'cov: [0-9]* ft: [0-9]* corp: [^ ]*')
    say "$target: $runs executions in $seconds s, $covered"
}

# A small set of inputs that reaches everything that was reached; what has a name of its own, and
# not a hash, stays besides.
keep() {
    local target=$1 place="$OUTPUT/$1" distilled="$OUTPUT/$1/distilled"
    rm -rf "$distilled"
    mkdir -p "$distilled"
    "$BUILT/$TRIPLE/fuzz/fuzz-$target" \
        -set_cover_merge=1 -use_counters=0 -max_len="$KEPT_LENGTH" -timeout="$TIMEOUT" \
        "$distilled" "fuzz/corpus/$target" "$place/corpus" >"$place/merge.log" 2>&1
    find "fuzz/corpus/$target" -type f -regextype posix-extended \
        -regex '.*/[0-9a-f]{40}' -delete
    find "$distilled" -type f -exec cp -t "fuzz/corpus/$target" {} +
    say "$target: $(find "fuzz/corpus/$target" -type f | wc -l) inputs kept"
}

main() {
    local runs=${1:-} target failed=0
    if ! [[ $runs =~ ^[0-9]+$ ]]; then
        say "usage: $0 RUNS [TARGET...]    targets: ${ALL[*]}"
        exit 2
    fi
    shift
    [ $# -gt 0 ] || set -- "${ALL[@]}"
    for target in "$@"; do
        if [ -z "${LENGTHS[$target]:-}" ]; then
            say "no target $target: there are ${ALL[*]}"
            exit 2
        fi
    done
    deploy/install-deps.sh fuzz
    TRIPLE=$(rustc -vV | sed -n 's/^host: //p')
    BUILT=${CARGO_TARGET_DIR:-target}
    OUTPUT=$BUILT/fuzzing
    readonly TRIPLE BUILT OUTPUT
    build "$@"
    for target in "$@"; do
        run "$target" "$runs" || failed=1
        if [ "${KEEP:-}" = 1 ]; then
            keep "$target"
        fi
    done
    exit "$failed"
}

main "$@"
