# SPDX-License-Identifier: Apache-2.0
# The repository with a Python of its own, for CPUs, TPUs or NVIDIA GPUs:
#
#   docker build --target cuda -t REGISTRY/medst_jax:cuda .     launch/slurm (IMAGE=REGISTRY#medst_jax:cuda)
#   docker build --target tpu -t REGISTRY/medst_jax:tpu .       launch/pod/jobset.py (--image=REGISTRY/medst_jax:tpu)
#   docker build --target cpu -t REGISTRY/medst_jax:cpu .       data preparation, tests of a cluster
#
# The image holds no data and no weights: mount them. The repository is the working directory.
FROM python:3.12-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
WORKDIR /opt/medst_jax
# What decides the environment first: it is built again only when that changes.
COPY setup.cfg pyproject.toml constraints-3.12.txt README.md ./
COPY medst_jax/__init__.py medst_jax/__init__.py

FROM base AS cpu
RUN pip install -c constraints-3.12.txt -e .[pipelines]
COPY . .
# Links of the package to rooms beside it are part of the tree: the editable install finds them.
RUN pip install --no-deps -e . && medst train --help > /dev/null

FROM base AS tpu
RUN pip install -c constraints-3.12.txt -e .[tpu]
COPY . .
RUN pip install --no-deps -e . && medst train --help > /dev/null

# The wheels bring CUDA; the host needs NVIDIA's driver (580 or newer for CUDA 13) and container toolkit.
FROM base AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN pip install -c constraints-3.12.txt -e .[cuda]
COPY . .
RUN pip install --no-deps -e . && medst train --help > /dev/null
