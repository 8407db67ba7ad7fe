# SPDX-License-Identifier: Apache-2.0
"""The CustomResourceDefinitions of our kinds, made from the same types that manifests are read with.

`python -m cloud.source.definitions FOLDER` writes them; `packaging/kubernetes/crds/` has them, and a test
holds that they are these.
"""

import sys
from pathlib import Path
from typing import Any

from msgspec import inspect

from appliance.netcore.plan.values import Protocol
from cloud.replicas import books
from cloud.source import clusters, objects
from cloud.source.documents import to_yaml
from cloud.source.kinds import Kind, find_kind
from cloud.source.status import ClusterState, CommunityStatus, DeviceStatus

GROUP = "orillo.io"
VERSION = "v1alpha1"

#: A member is a node's name, or FabEdge's `<cluster>.<node>`.
_MEMBER = {"minLength": 1, "maxLength": 127, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
_PORT_RULES = [
    {
        "rule": f"self.protocol.lowerAscii() in {[str(protocol) for protocol in Protocol]}",
        "message": f"protocol is none of {', '.join(Protocol).upper()}",
    },
    {"rule": "self.protocol.lowerAscii() != 'icmp' || !has(self.port)", "message": "ICMP has no ports"},
    {
        "rule": "!has(self.endPort) || (has(self.port) && self.endPort >= self.port)",
        "message": "endPort needs a port that is not above it",
    },
]
_SPEC_RULES = [
    {
        "rule": "has(self.members) || has(self.selector) || has(self.from)",
        "message": "it names nobody: give members, a selector, or from and to",
    },
    {"rule": "has(self.from) == has(self.to)", "message": "from and to go together"},
    {
        "rule": "!has(self.from) || !(has(self.members) || has(self.selector))",
        "message": "members may open both ways, from to to one way: give the one or the other",
    },
]
_SET_RULES = [
    {"rule": "has(self.members) || has(self.selector)", "message": "give members, a selector, or both"}
]
_SELECTOR_RULES = [
    {
        "rule": "has(self.matchLabels) || has(self.matchExpressions)",
        "message": "a selector without any demand would take every node: say which",
    }
]
_EXPRESSION_RULES = [
    {
        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
        "message": "In and NotIn need values, Exists and DoesNotExist have none",
    }
]
#: Whether it is a prefix is for the operator to tell; this only finds what surely is none.
_PREFIX = {"type": "string", "maxLength": 43, "pattern": "^[0-9a-fA-F:.]+/[0-9]{1,3}$"}
_ADDRESS = {"type": "string", "maxLength": 39}
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_NAME_RULE = {
    "rule": "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
    "message": "the name has to be a DNS label: at most 63 characters, and no dot",
}

#: No kinds that manifests are applied of: an EnrollToken's secret is made by `orillo-cloud token create`, and
#: a Ledger is between the operator's replicas.
_OF_THE_OPERATOR: dict[Any, Kind] = {
    objects.EnrollToken: Kind("EnrollToken", "enrolltokens", "etok", ("orillo.io/v1alpha1",)),
    books.Ledger: books.LEDGER,
}


def definitions() -> dict[str, dict[str, Any]]:
    """Every definition, by its name."""
    made = [_community(), _device(), _cluster(), _enroll_token(), _ledger()]
    return {definition["metadata"]["name"]: definition for definition in made}


def _community() -> dict[str, Any]:
    spec = _schema(inspect.type_info(objects.CommunitySpec))
    spec["x-kubernetes-validations"] = _SPEC_RULES
    fields = spec["properties"]
    for side in (spec, fields["from"], fields["to"]):
        _limit_members(side["properties"])
    for side in (fields["from"], fields["to"]):
        side["x-kubernetes-validations"] = _SET_RULES
    port = fields["ports"]["items"]
    port["properties"]["protocol"] |= {"default": "TCP", "maxLength": 8}
    port["x-kubernetes-validations"] = _PORT_RULES
    fields["ports"]["maxItems"] = 64
    columns = [
        _column("Members", "integer", ".status.members"),
        _column("Up", "integer", ".status.up"),
        _column("Opens", "string", ".status.opens"),
        _column("Ports", "string", ".spec.ports[*].port"),
        _column("Planned", "string", '.status.conditions[?(@.type=="Planned")].status'),
        _column("Applied", "string", '.status.conditions[?(@.type=="Applied")].status'),
        _column("Tunnels", "string", '.status.conditions[?(@.type=="TunnelUp")].status'),
        _column("Message", "string", ".status.message"),
        _column("Age", "date", ".metadata.creationTimestamp"),
        _column("Names", "string", ".spec.members", wide=True),
    ]
    status = _schema(inspect.type_info(CommunityStatus))
    return _definition(objects.Community, spec, ["spec"], columns, status)


def _limit_members(fields: dict[str, Any]) -> None:
    fields["members"]["items"] |= _MEMBER
    fields["members"]["maxItems"] = 10_000
    selector = fields["selector"]
    selector["x-kubernetes-validations"] = _SELECTOR_RULES
    expressions = selector["properties"]["matchExpressions"]
    expressions["maxItems"] = 16
    expressions["items"]["properties"]["values"] |= {"maxItems": 64}
    expressions["items"]["x-kubernetes-validations"] = _EXPRESSION_RULES


def _device() -> dict[str, Any]:
    spec = _schema(inspect.type_info(objects.DeviceSpec))
    for field in ("hubs", "publicAddresses", "lan"):
        spec["properties"][field]["maxItems"] = 16
    columns = [
        _column("Role", "string", ".status.role"),
        _column("Site", "string", ".status.site"),
        _column("State", "string", ".status.state"),
        _column("Applied", "string", '.status.conditions[?(@.type=="Applied")].status'),
        _column("Tunnel", "string", '.status.conditions[?(@.type=="TunnelUp")].status'),
        _column("Generation", "integer", ".status.generation.applied"),
        _column("Lag", "integer", ".status.generation.lag"),
        _column("Seen", "date", ".status.lastSeen"),
        _column("Message", "string", ".status.message"),
        _column("Agent", "string", ".status.agent", wide=True),
        _column("IPsec", "string", ".status.ipsec", wide=True),
    ]
    return _definition(objects.Device, spec, [], columns, _schema(inspect.type_info(DeviceStatus)))


def _enroll_token() -> dict[str, Any]:
    spec = _schema(inspect.type_info(objects.EnrollTokenSpec))
    spec["properties"]["hash"] |= {"pattern": "^[0-9a-f]{64}$"}
    spec["properties"]["name"] |= {"minLength": 1, "maxLength": 63, "pattern": r"^[-a-z0-9*?\[\]!]+$"}
    spec["properties"]["uses"] |= {"default": 1}
    status = {
        "type": "object",
        "description": "How many devices came in by it, and when the last one did.",
        "properties": {
            "used": {"type": "integer", "minimum": 0},
            "lastUsed": {"type": "string", "format": "date-time"},
        },
    }
    columns = [
        _column("For", "string", ".spec.name"),
        _column("Used", "integer", ".status.used"),
        _column("Uses", "integer", ".spec.uses"),
        _column("Expires", "string", ".spec.expires"),
        _column("Last-Used", "date", ".status.lastUsed"),
    ]
    return _definition(objects.EnrollToken, spec, ["spec"], columns, status)


def _ledger() -> dict[str, Any]:
    spec = _schema(inspect.type_info(books.LedgerSpec))
    for book in (books.DEVICES, books.PLANS):
        # As a whole: or each of its entries would have one in managedFields, of the same size.
        spec["properties"][book]["x-kubernetes-map-type"] = "atomic"
    columns = [
        _column("Holder", "string", ".spec.holder"),
        _column("Epoch", "integer", ".spec.epoch"),
        _column("Changes", "integer", ".spec.serial"),
        _column("Age", "date", ".metadata.creationTimestamp"),
    ]
    return _definition(books.Ledger, spec, ["spec"], columns, None)


def _cluster() -> dict[str, Any]:
    spec = _schema(inspect.type_info(clusters.ClusterSpec))
    spec["properties"]["caPin"]["pattern"] = "^([0-9a-f]{64})?$"
    columns = [
        _column("Heard", "string", '.status.conditions[?(@.type=="Heard")].status'),
        _column("Gateways", "integer", ".status.gateways"),
        _column("Tunnels", "string", ".status.tunnels"),
        _column("Services", "integer", ".status.services"),
        _column("Changed", "date", ".status.seen"),
        _column("Message", "string", ".status.message"),
        _column("Age", "date", ".metadata.creationTimestamp"),
        _column("Last-Heard", "date", ".status.heard", wide=True),
    ]
    return _definition(clusters.Cluster, spec, [], columns, _schema(inspect.type_info(ClusterState)))


def _definition(
    shape: Any,
    spec: dict[str, Any],
    required: list[str],
    columns: list[dict[str, Any]],
    status: dict[str, Any] | None,
) -> dict[str, Any]:
    kind = _OF_THE_OPERATOR.get(shape) or find_kind(shape.__name__)
    properties = {"spec": spec} | ({"status": status} if status else {})
    schema = {
        "type": "object",
        "description": _first_line(shape),
        "properties": properties,
        "x-kubernetes-validations": [_NAME_RULE],
    }
    if required:
        schema["required"] = required
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/name": "orillo"}},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["orillo"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    **({"subresources": {"status": {}}} if status else {}),
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _column(name: str, kind: str, path: str, wide: bool = False) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    return column | ({"priority": 1} if wide else {})


def _schema(kind: inspect.Type) -> dict[str, Any]:
    """A type of ours as a structural schema."""
    if isinstance(kind, inspect.Metadata):
        return _schema(kind.type) | dict(kind.extra_json_schema or {})
    if isinstance(kind, inspect.StructType):
        return _struct(kind)
    if isinstance(kind, inspect.UnionType):  # no null in the API: a field without a value is absent
        (one,) = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        return _schema(one)
    if isinstance(kind, inspect.VarTupleType):
        return {"type": "array", "items": _schema(kind.item_type)}
    if isinstance(kind, inspect.DictType):
        if isinstance(kind.value_type, inspect.AnyType):
            return dict(_ANYTHING)
        return {"type": "object", "additionalProperties": _schema(kind.value_type)}
    if isinstance(kind, inspect.LiteralType):
        return {"type": "string", "enum": list(kind.values)}
    if isinstance(kind, inspect.EnumType):
        return {"type": "string", "enum": [member.value for member in kind.cls]}
    return _plain(kind)


def _plain(kind: inspect.Type) -> dict[str, Any]:
    if isinstance(kind, inspect.IntType):
        bounds = {"minimum": kind.ge, "maximum": kind.le}
        return {"type": "integer"} | {name: bound for name, bound in bounds.items() if bound is not None}
    if isinstance(kind, inspect.DateTimeType):
        return {"type": "string", "format": "date-time"}
    if isinstance(kind, inspect.CustomType):
        return dict(_ADDRESS if kind.cls.__name__ == "Address" else _PREFIX)
    known = {inspect.StrType: "string", inspect.BoolType: "boolean"}
    return {"type": known[type(kind)]}


def _struct(kind: inspect.StructType) -> dict[str, Any]:
    properties = {field.encode_name: _schema(field.type) for field in kind.fields}
    schema = {"type": "object", "description": _first_line(kind.cls), "properties": properties}
    required = [field.encode_name for field in kind.fields if field.required]
    return schema | ({"required": required} if required else {})


def _first_line(shape: Any) -> str:
    return str(shape.__doc__).partition("\n")[0]


def write(folder: Path) -> None:
    """Write each definition to a file of its own. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, definition in definitions().items():
        note = "# SPDX-License-Identifier: Apache-2.0\n# Made by: python -m cloud.source.definitions\n"
        (folder / f"{name}.yaml").write_text(note + to_yaml(definition))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
