# SPDX-License-Identifier: Apache-2.0
"""What our cluster tells others, and what it believes of what they say.

Another cluster's operator is enrolled here like a device, under the name of its Cluster object, and both
documents go over its connection. What it says is kept in that object's status.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_network
from typing import Any

import msgspec

from appliance.netcore.plan.identity import is_name
from appliance.netcore.plan.values import builtins, convert, encode
from cloud.app import App
from cloud.planner.clusters import offer
from cloud.source.clusters import Cluster, ClusterDocument, ClusterStatus
from cloud.source.manifest import Manifest

log = logging.getLogger(__name__)

_KIND = "Cluster"
_NEVER = datetime.min.replace(tzinfo=UTC)


class ClusterError(ValueError):
    """What another cluster says can't be taken in; the text says why, for both sides to read."""


def with_what_was_said(
    manifests: Iterable[Manifest], before: Mapping[tuple[str, str, str], Manifest]
) -> list[Manifest]:
    """The manifests to be kept: what another cluster said stays when its object's owner writes it anew.

    A Kubernetes API tells it too, as somebody wrote it there: what was taken in later counts.
    """
    kept = []
    for manifest in manifests:
        old = before.get(manifest.key) if manifest.kind == _KIND else None
        status = old.body.get("status") if old else None
        if status and _seen(status) >= _seen(manifest.body.get("status", {})):
            manifest = msgspec.structs.replace(manifest, body=manifest.body | {"status": status})
        kept.append(manifest)
    return kept


def _seen(status: Mapping[str, Any]) -> datetime:
    said = convert(status, ClusterStatus)
    return said.seen if said.seen and said.document else _NEVER


def own_document(app: App) -> ClusterDocument:
    """What others are told at present. Raises what making plans raises."""
    return offer(app.engine().world, (app.issuer.certificate_pem,))


def mark_of(document: ClusterDocument) -> str:
    """Equal for equal documents."""
    return sha256(encode(document)).hexdigest()


def known(app: App, name: str) -> Manifest:
    """The Cluster object of this name. Raises `ClusterError`."""
    manifest = app.store.objects.all().get((_KIND, "", name))
    if manifest is None:
        raise ClusterError(f"there is no Cluster {name} in {app.settings.cluster}: apply it there first")
    return manifest


def take(app: App, name: str, document: ClusterDocument) -> bool:
    """Believe what the cluster `name` says from now on; whether it is news. Raises `ClusterError`."""
    manifest = known(app, name)
    cluster = convert(manifest.body, Cluster)
    if problems := "; ".join(_problems(app, name, cluster, document)):
        if app.talks.of(name).fault != problems:
            log.warning("event=cluster-refused cluster=%s reason=%s", name, json.dumps(problems))
        app.talks.refused(name, problems)
        raise ClusterError(problems)
    app.talks.heard(name, app.now())
    if cluster.status.document == document:
        return False
    status = {"seen": app.now().isoformat(timespec="seconds"), "document": builtins(document)}
    body = manifest.body | {"status": status}
    with app.change(f"cluster {name}"):
        app.store.objects.put([msgspec.structs.replace(manifest, body=body)])
    log.info("event=cluster-told cluster=%s gateways=%d", name, len(document.gateways))
    return True


def _problems(app: App, name: str, cluster: Cluster, document: ClusterDocument) -> Iterator[str]:
    """Nothing that another cluster says may take anything from ours, or from a third."""
    fabric = app.settings.fabric
    if document.cluster != name or name == fabric.cluster:
        yield f"{name} speaks for the cluster {document.cluster}"
    if not cluster.spec.admits(document):
        yield f"its CA is not the one that Cluster {name} has in spec.caPin"
    for gateway, end in document.gateways.items():
        if not is_name(gateway) or end.ike_id.rpartition(".")[2] != name:
            yield f"gateway {gateway} is called {end.ike_id}, which is no name of {name}"
        for address in end.overlay:
            for pool, what in fabric.ranges.items():
                if address.version == pool.version and ip_network(address).subnet_of(pool):  # type: ignore[arg-type]
                    yield f"gateway {gateway} has {address}, which is in {what} {pool} of {fabric.cluster}"
            if address in _taken(app, name):
                yield f"gateway {gateway} has {address}, which a third cluster has too"


def _taken(app: App, name: str) -> set[object]:
    others = {other: said for other, said in app.inventory().others.items() if other != name}
    return {a for said in others.values() for gateway in said.gateways.values() for a in gateway.overlay}
