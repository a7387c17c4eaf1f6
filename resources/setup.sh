# Sourced by tests/run.sh and studio/start.sh: Qt's system libraries, a virtual environment, this package.
# The first argument names the extra of pyproject.toml to install ("" for none).
extra=$1
known=$(ldconfig -p 2>/dev/null || true)
missing=
for library in libEGL.so.1 libGL.so.1 libfontconfig.so.1 libdbus-1.so.3 libxkbcommon-x11.so.0 libxcb-cursor.so.0 \
  libxcb-icccm.so.4 libxcb-image.so.0 libxcb-keysyms.so.1 libxcb-render-util.so.0 libxcb-xkb.so.1; do
  [[ $known == *"$library"* ]] || missing="$missing $library"
done
if command -v apt-get >/dev/null && [ -n "$missing" ]; then
  as_root=; [ "$(id -u)" = 0 ] || as_root=sudo
  { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends \
    libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0 fonts-dejavu-core fonts-inter \
    libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 \
    libxcb-shape0 libxcb-randr0 libxcb-xkb1 libxcb-xinerama0; } ||
    echo "Qt needs system libraries that could not be installed:$missing"
fi
[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
. .venv/bin/activate
python -m pip install --quiet --editable ".${extra:+[$extra]}"
