#!/bin/sh
# Makes kernel.btf and members.inc from the headers, and cubic.elf from them and Examples/cubic.bpf.c. Needs a clang with the
# bpf target and llvm-objcopy beside it; CLANG names another one. The output depends on the sources and the compiler only.
set -eu
cd "$(dirname "$0")"
clang=$(readlink -f "$(command -v "${CLANG:-clang}")")
objcopy=$(dirname "$clang")/llvm-objcopy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$clang" -target bpf -mcpu=v3 -g -O1 -std=gnu11 -Wall -Werror -Iinclude -ffile-prefix-map="$PWD"=. \
    -fdebug-compilation-dir=. -c btf_types.c -o "$work/types.o"
"$objcopy" --dump-section .BTF=kernel.btf "$work/types.o" "$work/rest.o"

# As a user would compile it, with our headers for "vmlinux.h".
cat > "$work/vmlinux.h" << 'END'
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#include "KernelABI.h"
#pragma clang attribute pop
END
root=$(cd ../.. && pwd)
"$clang" -target bpf -mcpu=v3 -g -O2 -Wall -Werror -I"$work" -Iinclude -I"$root/Examples/include" \
    -ffile-prefix-map="$root"=. -ffile-prefix-map="$work"=. -fdebug-compilation-dir=. \
    -c "$root/Examples/cubic.bpf.c" -o "$work/cubic.bpf.o"
"$objcopy" --strip-debug "$work/cubic.bpf.o" cubic.elf

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
