# SPDX-License-Identifier: Apache-2.0
"""Which labels say what a Node is for."""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.netcore.plan.values import Role

EDGE_LABEL = "node-role.kubernetes.io/edge"
CONNECTOR_LABEL = "node-role.kubernetes.io/connector"


@dataclass(frozen=True)
class RoleLabels:
    """The labels that say what a Node is for: the label's name alone, or `name=value`."""

    edge: str = EDGE_LABEL
    connector: str = CONNECTOR_LABEL

    def role_of(self, labels: Mapping[str, str]) -> Role:
        """The role of a Node with these labels."""
        if has_label(labels, self.connector):
            return Role.CONNECTOR
        return Role.EDGE if has_label(labels, self.edge) else Role.CLOUD_NODE


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """Whether `wanted` is among `labels`, with the value that it names, if it names one."""
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)
