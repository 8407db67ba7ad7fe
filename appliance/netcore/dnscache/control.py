# SPDX-License-Identifier: Apache-2.0
"""unbound's control protocol over a unix socket, without certificates (unbound-control(8)).

One connection a command: `UBCT1 COMMAND`, lines of data where the command takes some, and the answer up to
the end of the stream.
"""

import asyncio
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

from appliance.netcore.dnscache.listing import (
    CacheStatistics,
    Pending,
    Upstream,
    read_pending,
    read_servers,
    read_statistics,
    read_upstreams,
)
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.values import Address
from appliance.netcore.records import Record

_VERSION = "UBCT1"
#: Ends the lines of data.
_END = b"\x04\n"
#: unbound answers nobody while it reads data, so it gets it in portions.
_PORTION = 500
#: Once unbound has not answered, it gets no more than this until it does: a pass asks it several times.
_IMPATIENCE = 1.0
#: It has these names by itself.
_BUILT_IN = "localhost."


class UnboundControl:
    """Commands to the unbound behind `socket`; `timeout` is in seconds, for each of them.

    All methods raise `NotYetError` while no unbound listens, and `DoorError` for what it refuses.
    """

    def __init__(self, socket: Path, timeout: float = 10.0) -> None:
        self._socket = socket
        self._timeout = timeout
        self._patience = timeout

    async def records(self) -> frozenset[Record]:
        """The address records of its local data, without those that every unbound has."""
        found = map(_record, (await self._ask("list_local_data")).splitlines())
        return frozenset(record for record in found if record and record.name != _BUILT_IN)

    async def add_records(self, records: Iterable[Record]) -> None:
        """Add records to what their names have already."""
        await self._tell("local_datas", (record.text for record in records))

    async def remove_names(self, names: Iterable[str]) -> None:
        """Remove all records of these names; that there are none is a success."""
        await self._tell("local_datas_remove", names)

    async def forwards(self) -> Mapping[str, frozenset[Address]]:
        """The name servers by zone."""
        # "ZONE IN forward ADDRESS..."
        words = [line.split() for line in (await self._ask("list_forwards")).splitlines()]
        return {zone: frozenset(map(_address, rest)) for zone, _, _, *rest in words}

    async def put_forward(self, zone: str, addresses: Iterable[Address]) -> None:
        """Forward `zone` to these name servers from now on, instead of any before."""
        if zone != ".":
            await self._ask(f"local_zone {zone} transparent")
        await self._ask(f"forward_add {zone} {' '.join(sorted(map(str, addresses)))}")
        # What failed by the old way may succeed by the new one; good answers stay.
        await self._ask("flush_negative")
        await self._ask("flush_infra all")

    async def remove_forward(self, zone: str) -> None:
        """Forward `zone` no more; that it was not is a success."""
        await self._ask(f"forward_remove {zone}")
        if zone != ".":
            await self._ask(f"local_zone_remove {zone}")

    async def instance(self) -> str:
        """Which unbound answers, by its process: another one has lost what came over the socket."""
        lines = (await self._ask("status")).splitlines()
        return next((line for line in lines if "(pid " in line), "")

    async def reload(self) -> None:
        """Read the configuration anew; cache, and data that came over the socket, are lost."""
        await self._ask("reload")

    async def statistics(self) -> CacheStatistics:
        """Its counters, which go on counting."""
        return read_statistics(await self._ask("stats_noreset"))

    async def pending(self) -> tuple[Pending, ...]:
        """What it is being asked and has no answer to yet."""
        return tuple(read_pending(await self._ask("dump_requestlist")))

    async def upstreams(self) -> tuple[Upstream, ...]:
        """The name servers that it has asked lately."""
        return tuple(read_upstreams(await self._ask("dump_infra")))

    async def servers_for(self, name: str) -> tuple[str, ...]:
        """Whom it would ask about a name. Raises `DoorError`, also for what is no name."""
        return tuple(read_servers(await self._ask(f"lookup {name}")))

    async def _tell(self, command: str, lines: Iterable[str]) -> None:
        rest = iter(lines)
        while portion := list(islice(rest, _PORTION)):
            await self._ask(command, "".join(f"{line}\n" for line in portion).encode() + _END)

    async def _ask(self, command: str, data: bytes = b"") -> str:
        patience, self._patience = self._patience, self._timeout
        try:
            async with asyncio.timeout(patience):
                answer = await self._exchange(f"{_VERSION} {command}\n".encode() + data)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotYetError(
                f"waiting for unbound at {self._socket}: is `orillo daemon dns` running?"
            ) from error
        except TimeoutError as error:
            self._patience = min(self._timeout, _IMPATIENCE)
            raise DoorError(f"unbound did not answer `{_verb(command)}` in {patience:g} s") from error
        except OSError as error:
            raise DoorError(f"can't speak to unbound at {self._socket}: {error}") from error
        complaint = next((line for line in answer.splitlines() if line.startswith("error")), None)
        if complaint:
            raise DoorError(f"unbound refused `{_verb(command)}`: {complaint}")
        return answer

    async def _exchange(self, request: bytes) -> str:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            writer.write(request)
            await writer.drain()
            return (await reader.read()).decode()
        finally:
            writer.close()


def _verb(command: str) -> str:
    return command.split(" ", 1)[0]


def _record(line: str) -> Record | None:
    """An address record out of "NAME TTL IN TYPE DATA"; None for any other line."""
    words = line.split()
    if len(words) != 5 or words[3] not in ("A", "AAAA"):
        return None
    return Record(words[0], int(words[1]), ip_address(words[4]))


def _address(text: str) -> Address:
    # A port may follow; we set none.
    return ip_address(text.partition("@")[0])
