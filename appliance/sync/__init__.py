# SPDX-License-Identifier: Apache-2.0
"""Between cloud and box: identity, enrolment, renewal, the plan on its way in, the report on its way out."""
