#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The plain manifest: the chart as helm renders it with its standard values. usage: render.sh HELM
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../../packaging/kubernetes"
cat <<'NOTE'
# SPDX-License-Identifier: Apache-2.0
# Made by: ./dev chart, from the chart in this directory with its standard values. Set `cluster` and `addresses`
# in the ConfigMap orillo-cloud before you apply it, after the definitions in crds/.
NOTE
exec "$1" template orillo . --namespace orillo-system --set namespace.create=true --kube-version 1.36.0
