#!/usr/bin/env bash
# Sets up (the first time) and starts the studio with its embedded checkpoint.
#     bash studio/start.sh [CT to open]
set -euo pipefail
# From here on, another folder is the current one.
[ ! -e "${1-}" ] || set -- "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")" "${@:2}"
cd "$(dirname "$0")/.."
. resources/setup.sh ""
exec nodule-studio "$@"
