#!/bin/sh
# Compiles the probe of smoke tests anew, for each processor: tools/probe/probe.c tells what it is. The result is committed,
# because nobody who builds elkbake should need compilers for other processors.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
compile() {
    processor=$1
    shift
    "$@" -Os -Wall -Wextra -Werror -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables \
        -nostdlib -static -s -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,norelro -o "$out" tools/probe/probe.c
    base64 -w 100 "$out" >"src/bake/smoke/probe/$processor.txt"
}
compile amd64 "${CC_AMD64:-gcc}" -fcf-protection=none
compile arm64 "${CC_ARM64:-aarch64-linux-gnu-gcc}" -mno-outline-atomics
