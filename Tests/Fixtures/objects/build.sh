#!/bin/sh
# Compiles the fixtures and the examples: build.sh DIRECTORY-OF-vmlinux.h OUTPUT-DIRECTORY [-mcpu=v4 and other options]
# Tests compile by themselves; this is for trying objects by hand, for example with bpftool on a real kernel.
set -eu
headers=$(readlink -f "$1")
mkdir -p "$2"
output=$(readlink -f "$2")
shift 2
cd "$(dirname "$0")/../../.."
for source in Examples/*.bpf.c Tests/Fixtures/objects/*.bpf.c Tests/Fixtures/objects/acceptance/*.bpf.c; do
    "${CLANG:-clang}" -target bpf -mcpu=v3 -g -O2 -Wall -Werror "$@" -I "$headers" -I Examples/include \
        -c "$source" -o "$output/$(basename "$source" .c).o"
done
