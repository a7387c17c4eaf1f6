# Sourced by tests/run.sh and studio/start.sh: Qt's system libraries, a virtual environment, this package.
# The first argument names the extra of pyproject.toml to install ("" for none).
extra=$1
if command -v apt-get >/dev/null && ! ldconfig -p | grep -q libEGL.so.1; then
  as_root=; [ "$(id -u)" = 0 ] || as_root=sudo
  $as_root apt-get update -qq
  $as_root apt-get install -y -qq --no-install-recommends \
    libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0 fonts-dejavu-core
fi
[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
. .venv/bin/activate
python -m pip install --quiet --editable ".${extra:+[$extra]}"
