#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `uv venv` puts where the interpreter would be: a program with given exit codes.
echo "worker $FAKE_HOST runs $*"
number=$(cat $CLOUD/started-$FAKE_HOST 2>/dev/null || echo 0)
echo $((number + 1)) > $CLOUD/started-$FAKE_HOST
code=$(sed -n "$((number + 1))p" $CLOUD/codes-$FAKE_WORKER)
if [ "$code" = -1 ]; then
  trap 'exit 75' TERM
  while true; do sleep 0.05; done
fi
echo "it ends with $code"
exit $code
