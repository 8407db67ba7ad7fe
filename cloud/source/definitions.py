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
from cloud.source import objects
from cloud.source.documents import to_yaml
from cloud.source.kinds import find_kind
from cloud.source.status import DeviceStatus

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
_NAME_RULE = {
    "rule": "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
    "message": "the name has to be a DNS label: at most 63 characters, and no dot",
}


def definitions() -> dict[str, dict[str, Any]]:
    """Every definition, by its name."""
    made = [_community(), _device()]
    return {definition["metadata"]["name"]: definition for definition in made}


def _community() -> dict[str, Any]:
    spec = _schema(inspect.type_info(objects.CommunitySpec))
    spec["properties"]["members"]["items"] |= _MEMBER
    port = spec["properties"]["ports"]["items"]
    port["properties"]["protocol"] |= {"default": "TCP", "maxLength": 8}
    port["x-kubernetes-validations"] = _PORT_RULES
    spec["properties"]["ports"]["maxItems"] = 64
    columns = [
        _column("Members", "string", ".spec.members"),
        _column("Ports", "string", ".spec.ports[*].port"),
        _column("Age", "date", ".metadata.creationTimestamp"),
    ]
    return _definition(objects.Community, spec, ["spec"], columns)


def _device() -> dict[str, Any]:
    spec = _schema(inspect.type_info(objects.DeviceSpec))
    for field in ("hubs", "publicAddresses"):
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


def _definition(
    shape: Any,
    spec: dict[str, Any],
    required: list[str],
    columns: list[dict[str, Any]],
    status: dict[str, Any] | None = None,
) -> dict[str, Any]:
    kind = find_kind(shape.__name__)
    # Communities have no status yet; the subresource is there, so that giving them one changes no rights.
    properties = {
        "spec": spec,
        "status": status or {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
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
                    "subresources": {"status": {}},
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
