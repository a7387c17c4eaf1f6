# Sourced by tests/run.sh and studio/start.sh: Qt's system libraries, a virtual environment, this package.
# The first argument names the extra of pyproject.toml to install ("" for none). PYTHON may name another Python.
extra=$1
candidates=(python3 python3.13 python3.12 python3.11)
[ -z "${PYTHON-}" ] || candidates=("$PYTHON")
is_known='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'
# Not one that was left half made, is of another Python, which an upgrade of the system may have put in the place of its
# own, or was made in another folder: that one's paths are written into it.
has_environment() {
  [ -f .venv/bin/activate ] && .venv/bin/python -c "import pip; $is_known" 2>/dev/null &&
    [ "$(. .venv/bin/activate && cd "$VIRTUAL_ENV" 2>/dev/null && pwd -P)" = "$(cd .venv && pwd -P)" ]
}
base=
venv_package=
if ! has_environment; then
  for candidate in "${candidates[@]}"; do
    if "$candidate" -c "$is_known" 2>/dev/null; then base=$candidate; break; fi
  done
  if [ -z "$base" ]; then
    echo "Nodule Studio needs Python 3.11, 3.12 or 3.13; install one and name it: PYTHON=python3.13 bash $0" >&2
    exit 2
  fi
  # Debian's Python comes without what makes virtual environments.
  "$base" -c 'import ensurepip, venv' 2>/dev/null || venv_package=${base##*/}-venv
fi
# Debian keeps ldconfig out of the path of ordinary users.
known=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null || true)
missing=
for library in libEGL.so.1 libGL.so.1 libfontconfig.so.1 libdbus-1.so.3 libxkbcommon-x11.so.0 libxcb-cursor.so.0 \
  libxcb-icccm.so.4 libxcb-image.so.0 libxcb-keysyms.so.1 libxcb-render-util.so.0 libxcb-xkb.so.1; do
  [[ $known == *"$library"* ]] || missing="$missing $library"
done
if command -v apt-get >/dev/null && [ -n "$missing$venv_package" ]; then
  as_root=; [ "$(id -u)" = 0 ] || as_root=sudo
  # One source that cannot be reached, or fonts that are not known, keep the rest from nothing.
  $as_root apt-get update -qq || true
  $as_root apt-get install -y -qq --no-install-recommends $venv_package \
    libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0 \
    libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 \
    libxcb-shape0 libxcb-randr0 libxcb-xkb1 libxcb-xinerama0 ||
    echo "These could not be installed, and may be needed:$missing $venv_package" >&2
  $as_root apt-get install -y -qq --no-install-recommends fonts-dejavu-core fonts-inter || true
fi
[ -z "$base" ] || "$base" -m venv --clear .venv
. .venv/bin/activate
# What is installed stays so, also without a network, until it is another version's.
stamp=.venv/set-up-${extra:-studio}
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
  echo "Setting up; the first time takes some minutes."
  if [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null && ! python -c 'import torch' 2>/dev/null; then
    # The torch of PyPI brings gigabytes of CUDA. Where this one cannot be had, it comes from there all the same.
    torch=$(python -c 'import tomllib
with open("pyproject.toml", "rb") as file:
    print(*(name for name in tomllib.load(file)["project"]["dependencies"] if name.startswith("torch")))')
    python -m pip install --quiet --no-deps --retries 1 --timeout 15 \
      --index-url https://download.pytorch.org/whl/cpu "$torch" || true
  fi
  python -m pip install --quiet --editable ".${extra:+[$extra]}"
  touch "$stamp" .venv/set-up-studio
fi
