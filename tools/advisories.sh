#!/usr/bin/env bash
# Checks the dependencies against the advisory database, and says so where that cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."

if timeout 120 cargo deny --log-level error fetch db > target/advisories.log 2>&1; then
    cargo deny check --disable-fetch advisories
else
    echo "elkbake: advisories NOT checked: the advisory database could not be fetched (target/advisories.log says why)"
fi
