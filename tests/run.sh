#!/usr/bin/env bash
# Sets up and runs every check, the same here and in CI: lint, import contracts, types, tests.
#     bash tests/run.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
. resources/setup.sh "test"
ruff check .
ruff format --check .
lint-imports
pyright
# Two test processes would only get in each other's way: torch uses all cores by itself.
QT_QPA_PLATFORM=offscreen pytest "$@"
