# SPDX-License-Identifier: Apache-2.0
"""Which mappings may lose their pages, and that a process lives on without them."""

import subprocess
import sys

from appliance.netcore.kernel.memory import clean_mappings

SMAPS = """\
00400000-00500000 r-xp 00000000 08:01 11 /usr/lib/orillo/orillo
Rss:                 900 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00500000-00600000 r--p 00100000 08:01 11 /usr/lib/orillo/orillo
Anonymous:            12 kB
00600000-00700000 rw-p 00200000 08:01 11 /usr/lib/orillo/orillo
Anonymous:             0 kB
7f0000000000-7f0000100000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000200000-7f0000201000 r--p 00000000 08:01 12 /usr/lib/x86_64-linux-gnu/libc.so.6
Anonymous:             0 kB
7f0000300000-7f0000301000 r--p 00000000 08:01 13 /usr/lib/locale/C.utf8/LC_CTYPE
Anonymous:             0 kB
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
"""


def test_only_whole_read_only_program_files_are_dropped() -> None:
    assert list(clean_mappings(SMAPS, "/usr/lib/orillo/orillo")) == [
        (0x400000, 0x100000),
        (0x7F0000200000, 0x1000),
    ]


def test_process_lives_on_and_is_smaller() -> None:
    program = """
import json, ssl
from pathlib import Path
from appliance.netcore.kernel.memory import give_back, settle_allocator
def rss():
    return int(Path("/proc/self/statm").read_text().split()[1])
settle_allocator()
before = rss()
give_back()
after = rss()
give_back()
ssl.create_default_context()
assert after < before, (after, before)
print(json.dumps("alive"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, '"alive"'), done.stderr
