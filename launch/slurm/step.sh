# SPDX-License-Identifier: Apache-2.0
# What the batch files run: the training as one job step, again after every interruption.
#
#   PYTHON     Python of the environment in which medst_jax is installed; default: python
#   IMAGE      container image, where the cluster has pyxis: REGISTRY#medst_jax:cuda; default: none
#   MOUNTS     folders that the container sees besides the repository: /data,/shared/runs
#   RESTARTS   how often a run that was killed may begin again; default: 20

cd "$SLURM_SUBMIT_DIR" || exit 1

container=()
if [ -n "${IMAGE:-}" ]; then
  container=(--container-image="$IMAGE" --container-workdir="$PWD"
    --container-mounts="$PWD:$PWD${MOUNTS:+,$MOUNTS}")
fi

# The shell lives through the SIGTERM that the training saves on. The first task that has saved must not
# end those that still write: srun waits for all, whatever the cluster's own rule.
trap : TERM
srun --kill-on-bad-exit=0 --wait=0 ${container[@]+"${container[@]}"} \
  "${PYTHON:-python}" launch/train.py --distributed "$@" &
step=$!
# `wait` is interrupted by the signal; the step goes on, and its code is asked for when it is over.
while kill -0 $step 2>/dev/null; do wait $step; done
wait $step
code=$?

# 75: stopped after saving. 134, 137, 143: a task was aborted or killed, often because another one
# or its node was; the run goes on from its last checkpoint. Anything else no restart mends.
case $code in
  75) again=yes ;;
  134 | 137 | 143) [ "${SLURM_RESTART_COUNT:-0}" -lt "${RESTARTS:-20}" ] && again=yes || again=no ;;
  *) again=no ;;
esac
if [ $again = yes ]; then
  echo "exit code $code: the job is put back into the queue"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
