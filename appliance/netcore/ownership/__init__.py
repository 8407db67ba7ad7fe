# SPDX-License-Identifier: Apache-2.0
"""Which connector carries an edge, told by the connectors themselves to each other and to cloud-nodes.

Not through the operator: a failover must work with it down. One line of JSON a message, over mutual TLS
with the devices' own certificates.
"""
