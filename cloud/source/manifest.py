# SPDX-License-Identifier: Apache-2.0
"""One object as its owner wrote it, and what is wrong with one that can't be kept."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec


class Manifest(msgspec.Struct, frozen=True):
    """A Kubernetes object: `body` is all of it, as plain JSON; `namespace` is empty if the kind has none."""

    api_version: str
    kind: str
    namespace: str
    name: str
    body: dict[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace and name: what is unique among the objects that are kept."""
        return (self.kind, self.namespace, self.name)

    @property
    def title(self) -> str:
        """What people call the object in a sentence: `Service default/web`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class ManifestError(ValueError):
    """A manifest that is refused: where (file, document, field), what is wrong, and what to do about it.

    `document` counts from 1, empty ones too. `field` is a path such as `spec.members[0]`.
    """

    def __init__(self, file: str, document: int, field: str, problem: str, remedy: str) -> None:
        self.file = file
        self.document = document
        self.field = field
        self.problem = problem
        self.remedy = remedy
        ended = remedy if remedy.endswith(("?", ".")) else f"{remedy}."
        super().__init__(f"{file}, document {document}, {field or 'whole document'}: {problem}. {ended}")


@dataclass(frozen=True)
class Spot:
    """Where something stands in the text of manifests; `field` is empty for a whole document."""

    file: str = "input"
    document: int = 1
    field: str = ""

    def __str__(self) -> str:
        return f"{self.file}, document {self.document}" + (f", {self.field}" if self.field else "")

    def below(self, field: str) -> "Spot":
        """The place of a field of the object that stands here."""
        dot = "." if self.field and field and not field.startswith("[") else ""
        return replace(self, field=f"{self.field}{dot}{field}")

    def refuse(self, problem: str, remedy: str) -> ManifestError:
        """The error about what stands here."""
        return ManifestError(self.file, self.document, self.field, problem, remedy)
