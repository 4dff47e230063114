# What the jobs here share: a fresh environment in a temporary folder, and the kernels of BLAS to test with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec < /dev/null
export CI=true PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
chmod 755 "$temporary" # one test runs the program as a user who may write nowhere, and who has to find it
export VENV="$temporary/venv"
failed=0

# Those of OpenBLAS that NumPy and SciPy run on this processor when they are asked to.
kernels() {
  local kernel
  for kernel in Haswell SandyBridge; do
    if OPENBLAS_CORETYPE=$kernel "$VENV/bin/python" .ci/kernel.py > "$temporary/kernel" 2>&1; then
      echo "$kernel"
    else
      echo "no tests with $kernel kernels: $(tail -n 1 "$temporary/kernel")" >&2
    fi
  done
}

# step TITLE COMMAND...: runs it under its title and remembers a failure; the steps after it run all the same.
step() {
  echo "== $1"
  shift
  "$@" || failed=1
}
