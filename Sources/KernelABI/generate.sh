#!/bin/sh
# Makes kernel.btf and members.inc from the headers. Needs a clang with the bpf target and llvm-objcopy beside it;
# CLANG names another one. The output depends on the headers and the compiler only.
set -eu
cd "$(dirname "$0")"
clang=$(readlink -f "$(command -v "${CLANG:-clang}")")
objcopy=$(dirname "$clang")/llvm-objcopy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$clang" -target bpf -mcpu=v3 -g -O1 -std=gnu11 -Wall -Werror -Iinclude -ffile-prefix-map="$PWD"=. \
    -fdebug-compilation-dir=. -c btf_types.c -o "$work/types.o"
"$objcopy" --dump-section .BTF=kernel.btf "$work/types.o" "$work/rest.o"

# One line per member that offsetof can name: not bit fields. Relies on the headers' layout, one member per line.
cat include/kernel_bpf.h include/kernel_sock.h include/kernel_tcp.h include/kernel_congestion.h | awk '
    /^struct [a-z_0-9]+ \{/ { type = $2; next }
    /^\}/ { type = ""; next }
    type == "" { next }
    /^    struct \{/ { nested = 1; next }
    nested && /^    \}/ { nested = 0; sub(/^    \} /, ""); sub(/;.*/, ""); printf "MEMBER(%s, %s)\n", type, $0; next }
    nested || / : [0-9]+;/ || /^ *\/\// || /^$/ { next }
    /\(\*/ { sub(/^[^(]*\(\*/, ""); sub(/\).*/, ""); printf "MEMBER(%s, %s)\n", type, $0; next }
    { sub(/;.*/, ""); sub(/\[.*/, ""); sub(/.*[ *]/, ""); printf "MEMBER(%s, %s)\n", type, $0 }
' > members.inc
