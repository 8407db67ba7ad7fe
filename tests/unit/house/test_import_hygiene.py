# SPDX-License-Identifier: Apache-2.0
"""What a room imports at run time: the pure rooms do no I/O, and each library has one door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PURE = ("appliance.netcore.plan", "appliance.netcore.desired", "appliance.netcore.health", "cloud.planner")
IO = ("asyncio", "socket", "ssl", "subprocess", "sqlite3", "httpx", "h11", "pyroute2", "vici", "aiohttp")
DOORS = {
    "vici": ("appliance/netcore/charon/",),
    "httpx": ("appliance/sync/client.py", "cloud/source/"),
    "h11": ("appliance/sync/http.py",),
    "pyroute2": ("appliance/netcore/kernel/netlink_messages.py",),
    "aiohttp": ("cloud/endpoint/",),
    "textual": ("appliance/tui/",),
    "rich": ("appliance/tui/face.py",),
    "segno": ("appliance/tui/code.py",),
    "subprocess": ("appliance/netcore/kernel/processes.py",),
    "cryptography": (
        "appliance/netcore/plan/signature.py",
        "appliance/sync/identity_keys.py",
        "appliance/update/signature.py",
        "cloud/ca/",
    ),
}
_LIST_MODULES = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print("\\n".join(sorted(sys.modules)))
"""


@pytest.mark.parametrize("package", PURE)
def test_pure_room_loads_no_io(package: str) -> None:
    """Proven on the loaded modules, so that an import inside a function's callee is found too."""
    listing = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, package], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert package in listing
    assert [name for name in listing if name in IO] == []


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("library", DOORS)
def test_library_has_one_door(library: str) -> None:
    """The rest of the tree knows our types, not the library's."""
    strangers = [
        str(path.relative_to(ROOT))
        for package in ("appliance", "cloud")
        for path in sorted((ROOT / package).rglob("*.py"))
        if library in imports(path) and not str(path.relative_to(ROOT)).startswith(DOORS[library])
    ]
    assert strangers == []


def test_only_the_terminal_loads_textual() -> None:
    """Neither the daemon nor another verb has it in memory, and `orillo tui` itself only once it paints."""
    verbs = sorted(path.stem for path in (ROOT / "appliance/cli").glob("*.py") if path.stem != "__init__")
    code = "\n".join([*(f"import appliance.cli.{verb}" for verb in verbs), "import appliance.run, sys"])
    code += "\nprint('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
