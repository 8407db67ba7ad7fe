# SPDX-License-Identifier: Apache-2.0
"""The certificate authority: what it certifies (policy), how (issuer), and the keys it does it with."""
