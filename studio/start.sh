#!/usr/bin/env bash
# Sets up (the first time) and starts the studio with its embedded checkpoint.
#     bash studio/start.sh [CT to open]
set -euo pipefail
cd "$(dirname "$0")/.."
. resources/setup.sh ""
exec nodule-studio "$@"
