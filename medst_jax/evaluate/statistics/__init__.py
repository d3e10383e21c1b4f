# SPDX-License-Identifier: Apache-2.0
"""From predictions to numbers: metrics, bootstrap intervals over patients, paired differences, rows.

Imports no other room of evaluation; all of them may import this one.
"""
