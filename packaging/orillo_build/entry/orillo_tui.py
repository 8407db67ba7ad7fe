# SPDX-License-Identifier: Apache-2.0
"""What the compiler starts from: the appliance's command."""

import sys

from appliance.cli.main import main

sys.exit(main())
