# Lines on the serial console, which others write to as well: so ours begin with a line feed, and count by their nonce.
console=${ELKBAKE_CONSOLE:-/dev/console}
case $(uname -m) in
    aarch64) nonce=$key-arm64 ;;
    *) nonce=$key-$(uname -m) ;;
esac

# say KIND [TEXT...]
say() {
    printf '\nELKBAKE %s %s\n' "$nonce" "$*" >> "$console"
    printf '%s\n' "$*"
}
