#!/usr/bin/env bash
# Sets up and runs every check, the same here and in CI: lint, import contracts, types, tests.
#     bash tests/run.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
. resources/setup.sh "test"
if command -v apt-get >/dev/null && ! { command -v dcmdump && command -v dcm2niix && [ -e /usr/sbin/Orthanc ]; } >/dev/null; then
  # Other people's readers, to which exports are given, and a PACS; without them those tests are skipped.
  as_root=; [ "$(id -u)" = 0 ] || as_root=sudo
  # Tests start an Orthanc of their own: no service of this computer.
  [ -e /usr/sbin/Orthanc ] || $as_root systemctl mask -q orthanc 2>/dev/null || true
  packages="dcmtk dcm2niix orthanc orthanc-dicomweb"
  # shellcheck disable=SC2086
  { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $packages; } ||
    echo "These could not be installed; tests that need them are skipped: $packages"
fi
ruff check .
ruff format --check .
lint-imports
pyright
# Two test processes would only get in each other's way: torch uses all cores by itself.
QT_QPA_PLATFORM=offscreen pytest "$@"
