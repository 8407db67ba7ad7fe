# SPDX-License-Identifier: Apache-2.0
"""The documents that cloud and device exchange: plan, token, trust and report.

Pure: nothing here does I/O. It is the one package of the appliance that the operator imports.
"""
