# SPDX-License-Identifier: Apache-2.0
"""One step of tunnel steering: which hub carries this site, and what to ask of charon next.

Pure. An edge keeps an IKE SA and a `probe` child to every hub, and one `site` child at the chosen hub: of
two site children with equal selectors the newest takes all the traffic (DESIGN.md, "Two hubs"). The probes
decide, not the SAs: those look healthy over a NAT that has forgotten us.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.netcore.desired.connections import dials, lacks_route
from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Role
from appliance.netcore.tunnel import PROBE, SITE, ChildSa, Health, IkeSa, Reach, newest_first

#: With no site child yet, better hubs get this long to come up before a worse one is taken, in seconds.
SETTLE = 1.0

#: So long, in seconds, the site child of the hub before is kept beside the new one: what comes by it still
#: arrives, until the connectors and cloud-nodes have told each other that the edge has moved.
OVERLAP = 2


@dataclass(frozen=True)
class Initiate:
    """Bring up a child of a connection, and its IKE SA where there is none."""

    connection: str
    child: str


@dataclass(frozen=True)
class TerminateChild:
    """End one CHILD SA of a connection, by charon's id."""

    connection: str
    id: str


@dataclass(frozen=True)
class TerminateIke:
    """End one IKE SA of a connection by force, by charon's id."""

    connection: str
    id: str


Action = Initiate | TerminateChild | TerminateIke


@dataclass(frozen=True)
class Choice:
    """What one step leaves to the next: the hub that was chosen, the order that it was chosen under, and
    since when there was none to choose."""

    hub: str | None = None
    order: tuple[str, ...] = ()
    undecided_since: float | None = None


@dataclass(frozen=True)
class Steering:
    """The step's outcome. `look_again` is when time alone may change it; `reasons` are per hub or peer."""

    choice: Choice
    actions: tuple[Action, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    look_again: float | None = None


def steer(
    plan: Plan, facts: Facts, sas: Sequence[IkeSa], reach: Mapping[str, Reach], before: Choice, now: float
) -> Steering:
    """One step. `reach` is by the peer's name and about its tunnel of now; `now` is the same clock's."""
    look = _Look(plan, facts, by_connection(sas), reach)
    peers = [name for name in plan.peers if dials(plan, name)]
    tended = [action for name in peers for action in _tend(look, name)]
    if plan.place.role is not Role.EDGE:
        return Steering(Choice(), tuple(tended), _reasons(look, peers))
    choice, look_again = _choose(look, before, now)
    # The site's own child first: traffic waits for it, and for nothing else.
    actions = (*_place_site(look, choice.hub), *tended)
    times = [at for at in (look_again, _overlap_ends(look, choice.hub, now)) if at is not None]
    return Steering(choice, actions, _reasons(look, peers), min(times, default=None))


def by_connection(sas: Sequence[IkeSa]) -> dict[str, tuple[IkeSa, ...]]:
    """The IKE SAs of each connection, the newest established one first."""
    found: dict[str, list[IkeSa]] = {}
    for sa in sas:
        found.setdefault(sa.name, []).append(sa)
    return {name: tuple(sorted(group, key=_rank)) for name, group in found.items()}


def _rank(sa: IkeSa) -> tuple[bool, int, int]:
    return (not sa.established, sa.age, -int(sa.id))


def carrying_hub(plan: Plan, sas: Sequence[IkeSa]) -> str | None:
    """The hub whose site child carries our traffic: the one with the newest. None on other roles."""
    if plan.place.role is not Role.EDGE:
        return None
    site = [(child, sa.name) for sa in sas if sa.name in plan.hubs for child in sa.carrying(SITE)]
    if not site:
        return None
    newest = newest_first([child for child, _ in site])[0]
    return next(name for child, name in site if child is newest)


def carried_edges(plan: Plan, sas: Sequence[IkeSa]) -> dict[str, ChildSa]:
    """On a connector: the edges whose traffic comes here, and the newest site child of each."""
    found: dict[str, list[ChildSa]] = {}
    for sa in sas:
        peer = plan.peers.get(sa.name)
        if peer is not None and peer.role is Role.EDGE and sa.carrying(SITE):
            found.setdefault(sa.name, []).extend(sa.carrying(SITE))
    return {name: newest_first(children)[0] for name, children in found.items()}


def probed_edges(plan: Plan, sas: Sequence[IkeSa]) -> frozenset[str]:
    """On a connector: the edges that keep a tunnel here, whoever carries their traffic."""
    if plan.place.role is not Role.CONNECTOR:
        return frozenset()
    edges = {name for name, peer in plan.peers.items() if peer.role is Role.EDGE}
    return frozenset(sa.name for sa in sas if sa.name in edges and sa.established and sa.carrying(PROBE))


@dataclass(frozen=True)
class _Look:
    """What a step sees."""

    plan: Plan
    facts: Facts
    sas: Mapping[str, tuple[IkeSa, ...]]
    reach: Mapping[str, Reach]

    def ike(self, name: str) -> IkeSa | None:
        """The IKE SA of a connection that is in use."""
        return next((sa for sa in self.sas.get(name, ()) if sa.established), None)

    def children(self, name: str, child: str) -> tuple[ChildSa, ...]:
        """Over all its IKE SAs, so that a duplicate is seen wherever it is."""
        return newest_first([c for sa in self.sas.get(name, ()) for c in sa.carrying(child)])

    def coming(self, name: str, child: str) -> bool:
        return any(c.name == child and c.coming for sa in self.sas.get(name, ()) for c in sa.children)

    def has_tunnel(self, name: str) -> bool:
        return self.ike(name) is not None and bool(self.children(name, PROBE))

    def health(self, name: str) -> Health:
        return self.reach.get(name, Reach()).health if self.has_tunnel(name) else Health.UNKNOWN

    def alive(self, name: str) -> bool:
        return self.health(name) is Health.ALIVE

    def may_carry(self, name: str) -> bool:
        return self.has_tunnel(name) and self.health(name) is not Health.DEAD


def _tend(look: _Look, name: str) -> Iterator[Action]:
    """Keep one IKE SA with one probe child that has a data path under it."""
    ike = look.ike(name)
    for sa in look.sas.get(name, ()):
        if sa is ike:
            ends = _is_stale(look, sa) or look.health(name) is Health.DEAD
        else:
            # One that is being rekeyed or deleted goes by itself.
            ends = sa.state == "ESTABLISHED" or (sa.state == "CONNECTING" and _is_stale(look, sa))
        if ends:
            yield TerminateIke(name, sa.id)
    yield from _keep_one(look, name, PROBE, with_ike=True)


def _is_stale(look: _Look, sa: IkeSa) -> bool:
    """Whether it goes out from an address that the way to the hub no longer starts at."""
    source = look.facts.sources.get(sa.name)
    return None not in (source, sa.local) and sa.local != source


def _keep_one(look: _Look, name: str, child: str, *, with_ike: bool = False) -> Iterator[Action]:
    there = look.children(name, child)
    possible = look.ike(name) or (with_ike and not lacks_route(look.plan, look.facts, name))
    if possible and not there and not look.coming(name, child):
        yield Initiate(name, child)
    for old in there[1:]:
        yield TerminateChild(name, old.id)


def _place_site(look: _Look, hub: str | None) -> Iterator[Action]:
    """One site child, at the chosen hub: first the new one, and only when that carries the old ones end."""
    if hub is None or look.ike(hub) is None:
        return
    everywhere = [(child, name) for name in look.plan.hubs for child in look.children(name, SITE)]
    here = look.children(hub, SITE)
    if not here:
        if not look.coming(hub, SITE):
            yield Initiate(hub, SITE)
        return
    newest = newest_first([child for child, _ in everywhere])[0]
    if newest not in here:
        # The other hub's took the traffic, and charon refuses a second one beside ours: ours is made anew.
        yield from (TerminateChild(hub, child.id) for child in here)
        return
    for child, name in everywhere:
        if child is not newest and (name == hub or newest.age >= OVERLAP):
            yield TerminateChild(name, child.id)


def _overlap_ends(look: _Look, hub: str | None, now: float) -> float | None:
    """When the site child of the hub before may end; None if there is none, or it may already."""
    here = look.children(hub, SITE) if hub is not None else ()
    elsewhere = any(look.children(name, SITE) for name in look.plan.hubs if name != hub)
    return now + OVERLAP - here[0].age if here and elsewhere and here[0].age < OVERLAP else None


def _choose(look: _Look, before: Choice, now: float) -> tuple[Choice, float | None]:
    order = tuple(look.plan.hubs)
    hub = before.hub or carrying_hub(look.plan, [sa for group in look.sas.values() for sa in group])
    if hub is None or hub not in order or look.ike(hub) is None or look.health(hub) is Health.DEAD:
        return _first_that_carries(look, order, before, now)
    look_again: float | None = None
    for better in order[: order.index(hub)]:
        if not look.alive(better):
            continue
        due = look.reach[better].since + look.plan.tunnel.failback_after
        if now >= due or _is_newly_preferred(better, hub, before.order):
            return Choice(better, order), None
        look_again = min(due, look_again or due)
    return Choice(hub, order), look_again


def _is_newly_preferred(better: str, hub: str, order: tuple[str, ...]) -> bool:
    """Whether the plan had it the other way round when `hub` was chosen."""
    return hub in order and better in order and order.index(hub) < order.index(better)


def _first_that_carries(
    look: _Look, order: tuple[str, ...], before: Choice, now: float
) -> tuple[Choice, float | None]:
    """The best hub that answers, or else the best with a tunnel that is not known to be dead."""
    answering = next((name for name in order if look.alive(name)), None)
    possible = next((name for name in order if look.may_carry(name)), None)
    if possible is None:
        return Choice(None, order), None
    if before.hub is not None:
        return Choice(answering or possible, order), None
    # Nothing carries yet: at a start, a better hub may be only some milliseconds behind.
    since = now if before.undecided_since is None else before.undecided_since
    if possible == order[0] or now >= since + SETTLE:
        return Choice(answering or possible, order), None
    return Choice(None, order, since), since + SETTLE


def _reasons(look: _Look, peers: Sequence[str]) -> dict[str, str]:
    return {name: reason for name in peers if (reason := _reason(look, name))}


def _reason(look: _Look, name: str) -> str:
    if lacks_route(look.plan, look.facts, name):
        return "there is no route to its addresses"
    if not look.sas.get(name):
        return "no IKE SA"
    if look.ike(name) is None:
        return "the peer has not answered IKE yet"
    if not look.children(name, PROBE):
        return "the probe child is not installed"
    if look.health(name) is Health.DEAD:
        return "the SAs are up, and no probe through them is answered"
    return ""
