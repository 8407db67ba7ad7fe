# SPDX-License-Identifier: Apache-2.0
"""The kinds of object that the operator keeps, and the names that people call them by."""

from dataclasses import dataclass

from appliance.netcore.plan.identity import is_name


@dataclass(frozen=True)
class Kind:
    """One kind of object. The first of `api_versions` is the one that we write ourselves."""

    name: str
    plural: str
    short: str
    api_versions: tuple[str, ...]
    namespaced: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Every name that the kind answers to, in lower case, as in `kubectl get`."""
        groups = {version.rpartition("/")[0] for version in self.api_versions} - {""}
        plain = {self.name.lower(), self.plural, self.short}
        return frozenset(plain | {f"{self.plural}.{group}" for group in groups})

    def namespace_of(self, namespace: str) -> str:
        """The namespace that an object of this kind lives in, given the one that was written."""
        return (namespace or "default") if self.namespaced else ""


KINDS = (
    Kind("Node", "nodes", "no", ("v1",)),
    Kind("Service", "services", "svc", ("v1",), namespaced=True),
    Kind("EndpointSlice", "endpointslices", "eps", ("discovery.k8s.io/v1",), namespaced=True),
    Kind("Community", "communities", "com", ("orillo.io/v1alpha1", "fabedge.io/v1alpha1")),
    Kind("Cluster", "clusters", "cl", ("orillo.io/v1alpha1", "fabedge.io/v1alpha1")),
    Kind("IPPool", "ippools", "ippool", ("crd.projectcalico.org/v1",)),
    Kind("IPAMBlock", "ipamblocks", "ipamblock", ("crd.projectcalico.org/v1",)),
    Kind("Device", "devices", "dev", ("orillo.io/v1alpha1",)),
)


class UnknownKindError(ValueError):
    """A kind that the operator does not keep: the manifest's field at fault, and what to write instead."""

    def __init__(self, problem: str, remedy: str, field: str = "kind") -> None:
        self.problem = problem
        self.remedy = remedy
        self.field = field
        super().__init__(f"{problem}: {remedy}")


def find_kind(name: str) -> Kind:
    """The kind that people call `name`: singular, plural, short or with its group, in any case."""
    for kind in KINDS:
        if name.lower() in kind.names:
            return kind
    known = ", ".join(kind.plural for kind in KINDS)
    raise UnknownKindError(f"no kind is called {name!r}", f"Use one of {known}")


def kind_of(api_version: str, name: str) -> Kind:
    """The kind of a manifest, by its exact `apiVersion` and `kind`."""
    kind = next((kind for kind in KINDS if kind.name == name), None)
    if kind is None:
        kept = ", ".join(kind.name for kind in KINDS)
        raise UnknownKindError(f"kind {name!r} is not kept", f"Leave it out; kept are {kept}")
    if api_version not in kind.api_versions:
        expected = " or ".join(kind.api_versions)
        raise UnknownKindError(f"{name} has no version {api_version!r}", f"Write {expected}", "apiVersion")
    return kind


def is_object_name(text: str) -> bool:
    """Whether `text` may name an object: DNS labels between dots (RFC 1123), at most 253 characters."""
    return len(text) <= 253 and all(is_name(label) for label in text.split("."))
