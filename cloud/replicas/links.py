# SPDX-License-Identifier: Apache-2.0
"""The clusters that this operator is enrolled at, in the Secret beside the keys, for every replica to have.

Each replica keeps them as files too. What one of them changed, by joining or by renewing, is written to the
Secret; what others changed is taken from it.
"""

import asyncio
import base64
import binascii
import logging
from pathlib import Path

import msgspec

from cloud.links import Link, keep, links_in
from cloud.replicas.keys import secret_path
from cloud.replicas.lease import quoted
from cloud.source.api import Api, ApiError

log = logging.getLogger(__name__)

_PREFIX = "link."
_EVERY = 5.0


class _Whole(msgspec.Struct, frozen=True):
    """A link with our key and certificate in it."""

    cluster: str
    control_url: str
    ca: str
    identity: str


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str


class _Secret(msgspec.Struct, frozen=True):
    metadata: _Metadata
    data: dict[str, str] = {}


class SharedLinks:
    """The files below `folder` and the Secret's links, kept equal."""

    def __init__(self, api: Api, namespace: str, folder: Path) -> None:
        self._api = api
        self._path = secret_path(namespace)
        self._folder = folder
        #: As they were when both were last equal.
        self._agreed: dict[str, _Whole] = {}

    async def run(self) -> None:
        """Keep them so until cancelled."""
        told = ""
        while True:
            try:
                await self.settle()
                told = ""
            except (ApiError, OSError, msgspec.MsgspecError, binascii.Error) as error:
                if told != str(error):
                    log.warning("event=links-not-shared reason=%s", quoted(error))
                told = str(error)
            await asyncio.sleep(_EVERY)

    async def settle(self) -> None:
        """One look at both; what we changed counts, unless others were faster."""
        secret = msgspec.json.decode(await self._api.get(self._path), type=_Secret)
        theirs = _links(secret)
        ours = {link.cluster: _whole(link) for link in links_in(self._folder)}
        # A file that is another than when both were equal is newer than what the Secret has.
        since = {name: one for name, one in ours.items() if self._agreed.get(name) != one}
        news = {name: one for name, one in since.items() if theirs.get(name) != one}
        if news and not await self._write(news, secret.metadata.resource_version):
            return  # with the next look
        wanted = theirs | news
        for name, one in wanted.items():
            if ours.get(name) != one:
                keep(self._folder, name, one.control_url, one.ca, one.identity.encode())
        self._agreed = wanted

    async def _write(self, news: dict[str, _Whole], version: str) -> bool:
        data = {
            _PREFIX + name: base64.b64encode(msgspec.json.encode(one)).decode() for name, one in news.items()
        }
        return await self._api.patch_at(self._path, version, {"data": data})


def _links(secret: _Secret) -> dict[str, _Whole]:
    found = {name: text for name, text in secret.data.items() if name.startswith(_PREFIX)}
    return {
        name.removeprefix(_PREFIX): msgspec.json.decode(base64.b64decode(text), type=_Whole)
        for name, text in found.items()
    }


def _whole(link: Link) -> _Whole:
    return _Whole(link.cluster, link.control_url, link.ca, Path(link.identity).read_text())
