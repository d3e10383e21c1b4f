# SPDX-License-Identifier: Apache-2.0
"""What a training step needs and costs on TPUs or NVIDIA GPUs, without any of them.

`planning.make_plan` is the way in: `workload` puts the train step of a configuration on a `topology`,
`compile` compiles it, `hlo` and `execution` read the module, `cycles` (TPU) or `roofline` (GPU),
`collectives` and `network` give the times, `report` prints them. `chips` and `gpus` are the tables of
what the hardware can do. May import train, systems and below; the reality check and
`launch/plan.py` import it.
"""
