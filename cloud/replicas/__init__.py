# SPDX-License-Identifier: Apache-2.0
"""Several operators on one Kubernetes cluster: what they share, who leads, and how nothing is told twice."""
