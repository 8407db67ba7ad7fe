# SPDX-License-Identifier: Apache-2.0
"""How the device stands: the snapshot, the socket it is served on, and the client of that socket."""
