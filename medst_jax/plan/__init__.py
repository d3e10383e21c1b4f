# SPDX-License-Identifier: Apache-2.0
"""What a training step needs and costs on a TPU topology, without a TPU.

`planning.make_plan` is the way in: `workload` puts the train step of a configuration on a `topology`,
`compile` compiles it, `hlo` and `execution` read the module, `cycles`, `collectives` and `network`
give the times, `report` prints them. May import train, systems and below; the reality check and
`launch/plan.py` import it.
"""
