#!/usr/bin/env bash
# Runs `cargo test` with the given arguments and counts over all test binaries: elkbake: N passed, M failed
# With ADD=1 it goes on counting where the last run has ended.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p target
log=target/test.log
[ -n "${ADD-}" ] || : > "$log"

status=0
cargo test --locked --no-fail-fast "$@" 2>&1 | tee -a "$log" || status=$?

# A run that did not get as far as a test, one of which a binary died on the way and one that skips tests have failed.
awk -v status="$status" '
    /^test result: / { passed += $4; failed += $6; ignored += $8; binaries += 1 }
    END {
        if (ignored > 0) printf "elkbake: %d tests are ignored, and none may be\n", ignored
        if (status != 0 && failed == 0) print "elkbake: cargo test failed before or between the tests: see above"
        printf "elkbake: %d passed, %d failed\n", passed, failed
        exit !(status == 0 && binaries > 0 && passed > 0 && failed == 0 && ignored == 0)
    }
' "$log"
