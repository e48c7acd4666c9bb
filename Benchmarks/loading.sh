#!/bin/bash
# What a registration of bpf_cubic costs, compiled against a full vmlinux.h, with debug information and stripped: step by
# step in one runtime, from request to reply through a daemon's socket, and beside it the CPU time of bpftool (libbpf and
# the kernel) on the same object.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"
rounds=${ROUNDS:-100}

for product in opsd loading-benchmark; do swift build -c release --product "$product" 2>&1 | tail -1; done
bin=$(swift build -c release --show-bin-path)
work=$(mktemp -d)
trap 'kill "${daemon:-}" 2>/dev/null || true; rm -rf "$work"' EXIT

if ! bpftool btf dump file /sys/kernel/btf/vmlinux format c > "$work/vmlinux.h" 2>/dev/null; then
    echo "no bpftool or no kernel BTF: nothing to compile a full object against" >&2
    exit 1
fi
clang -target bpf -mcpu=v3 -g -O2 -I "$work" -I Examples/include -c Examples/cubic.bpf.c -o "$work/cubic.bpf.o"
llvm-objcopy -g "$work/cubic.bpf.o" "$work/cubic-stripped.bpf.o"

# A daemon for each object: what its first registration costs is one of the figures.
start_daemon() {
    "$bin/opsd" --socket "$work/socket" 2> "$work/log" &
    daemon=$!
    for _ in $(seq 100); do grep -q ready "$work/log" && break; sleep 0.1; done
    sleep 1
}

for object in "$work"/cubic.bpf.o "$work"/cubic-stripped.bpf.o; do
    printf '\n%s\n' "$(basename "$object")"
    start_daemon
    "$bin/loading-benchmark" "$object" "$rounds" "$work/socket"
    kill "$daemon" && wait "$daemon" || true
    # Registers by bpftool need root; a kernel that refuses the object says why.
    if bpftool struct_ops register "$object" > "$work/out" 2>&1; then
        bpftool struct_ops unregister name cubic > /dev/null 2>&1
        TIMEFORMAT='%U %S'
        { time for _ in $(seq 20); do
            # bpftool says on stderr what it has done; only the times are to stand in the file.
            bpftool struct_ops register "$object" > /dev/null 2>&1
            bpftool struct_ops unregister name cubic > /dev/null 2>&1
        done; } 2> "$work/with"
        # What starting bpftool twice costs by itself.
        { time for _ in $(seq 20); do bpftool version > /dev/null; bpftool version > /dev/null; done; } 2> "$work/without"
        paste "$work/with" "$work/without" |
            awk '{ printf "bpftool struct_ops register + unregister, CPU: %.0f µs\n", ($1 + $2 - $3 - $4) / 20 * 1e6 }'
    else
        echo "bpftool struct_ops register: $(tail -1 "$work/out")"
    fi
done
