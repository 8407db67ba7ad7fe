# SPDX-License-Identifier: Apache-2.0
"""The technician's terminal: a client of the status socket.

What it shows is made by pure functions (`pages`, `frame`), what a key does too (`keys`); `app`, `face` and
`driver` alone know Textual.
"""
