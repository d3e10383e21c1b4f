#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What one NVIDIA GPU does, in under eight minutes, by the jax and CUDA that its machine has:
#
#   benchmarks/device.sh OUT               measures; writes OUT/PART.json after each part
#   benchmarks/device.sh --tiny OUT        the same on tiny shapes: shows on a CPU that the script runs
#   benchmarks/device.sh --pack WHEELS     on a machine with a network: fetches what such a machine may lack
#
#   PYTHON   the interpreter that has jax; default: python3
#   WHEELS   folder of wheels; those whose package the interpreter lacks are used; default: wheels
#
# Parts in order of worth, each with a time limit of its own: a part that fails or is late loses only itself.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

if [ "${1:-}" = --pack ]; then
  folder=${2:?give a folder}
  # What a Python with jax, flax, optax, orbax, opencv and tokenizers lacks for a train step and the input.
  platforms=()
  for glibc in 2_28 2_27 2_17; do platforms+=(--platform "manylinux_${glibc}_x86_64"); done
  # One of them is published as source alone.
  "$PYTHON" -m pip wheel --quiet --no-deps --wheel-dir "$folder" promise || exit 1
  exec "$PYTHON" -m pip download --quiet --no-deps --only-binary=:all: --dest "$folder" \
    --python-version "${TARGET_PYTHON:-3.12}" --implementation cp \
    "${platforms[@]}" --platform manylinux2014_x86_64 \
    -c "constraints-${TARGET_PYTHON:-3.12}.txt" \
    absl-py array_record clu dm-tree docstring_parser einops etils googleapis-common-protos grain \
    immutabledict importlib_resources jaxtyping ml_collections portpicker simple_parsing \
    simplejpeg tensorflow-datasets tensorflow-metadata termcolor toml wadler_lindig zstandard
fi

tiny=()
if [ "${1:-}" = --tiny ]; then tiny=(--tiny) && shift; fi
out=${1:?give a folder for the results}
mkdir -p "$out"

# Only what is missing: the machine's own packages go before wheels of other versions.
wheels=${WHEELS:-wheels}
if [ -d "$wheels" ]; then
  site=$(mktemp -d)
  trap 'rm -rf "$site"' EXIT
  "$PYTHON" - "$wheels" > "$site/missing" <<'END'
import importlib.metadata
import pathlib
import re
import sys

plain = lambda name: re.sub("[-_.]+", "-", name).lower()
have = {plain(found.metadata["Name"]) for found in importlib.metadata.distributions()}
for wheel in sorted(pathlib.Path(sys.argv[1]).glob("*.whl")):
    if plain(wheel.name.split("-")[0]) not in have:
        print(wheel)
END
  if [ -s "$site/missing" ]; then
    # shellcheck disable=SC2046 (one wheel a line)
    "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" \
      $(cat "$site/missing") || exit 1
  fi
  export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi

# Both backends: a step is compared with the CPU's.
if [ ${#tiny[@]} -eq 0 ]; then
  export JAX_PLATFORMS=${JAX_PLATFORMS:-cuda,cpu}
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | tee "$out/gpu.txt"
else
  export JAX_PLATFORMS=cpu
fi

status=0
run() {  # PART SECONDS: its JSON, or why there is none, in OUT
  # On a CPU that others use, time says nothing: ten times as much.
  local limit=$2
  if [ ${#tiny[@]} -gt 0 ]; then limit=$((10 * $2)); fi
  echo "== $1, at most $limit s"
  timeout --kill-after=5 "$limit" "$PYTHON" -m benchmarks.device --part="$1" --output="$out" \
    ${tiny[@]+"${tiny[@]}"} > "$out/$1.log" 2>&1
  local code=$?
  if [ $code -eq 0 ]; then tail -n 1 "$out/$1.log"; return; fi
  status=1
  echo "{\"part\": \"$1\", \"exit_code\": $code}" | tee "$out/$1.json"
  tail -n 5 "$out/$1.log"
}

# 460 seconds in all, the last for what compiles slowly.
run parity 100
run siglip 90
run attention 40
run input 60
run dlilp 170
exit $status
