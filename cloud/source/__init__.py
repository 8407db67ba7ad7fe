# SPDX-License-Identifier: Apache-2.0
"""Where the operator's inventory and intent come from: Kubernetes manifests, whoever keeps them."""
