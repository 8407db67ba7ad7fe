# SPDX-License-Identifier: Apache-2.0
"""The same recording shown with Textual's own settings and widgets, without a thought of the line."""

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Footer, Header, Static

from appliance.status.model import Snapshot
from appliance.tui.feed import demo
from appliance.tui.frame import frame
from appliance.tui.look import UNICODE, Look
from appliance.tui.state import Known, heard
from appliance.tui.text import plain
from appliance.tui.ui import Ui

_BINDINGS = [("q", "quit", "Quit"), ("1", "overview", "Overview"), ("0", "support", "Support")]


class Stock(App[None]):
    """A header with a clock, the overview, the tunnels in a table, a footer."""

    BINDINGS = _BINDINGS  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.known = Known()

    def compose(self) -> ComposeResult:
        """What the tutorial has."""
        yield Header(show_clock=True)
        yield Static(id="overview")
        yield DataTable[str]()
        yield Footer()

    def on_mount(self) -> None:
        """Follow the recording."""
        self.query_one(DataTable).add_columns("tunnel", "state", "rtt", "loss", "in", "out")
        self.run_worker(self._follow())

    async def _follow(self) -> None:
        async for word in demo().feed():
            if isinstance(word, Snapshot):
                self._show(word)

    def _show(self, snapshot: Snapshot) -> None:
        self.known = heard(self.known, snapshot)
        lines = frame(self.known, Ui(), Look(signs=UNICODE), self.size.width, 16)
        self.query_one("#overview", Static).update("\n".join(plain(line) for line in lines))
        table = self.query_one(DataTable)
        table.clear()
        for name, tunnel in snapshot.tunnels.items():
            cells = (tunnel.up, tunnel.rtt, tunnel.loss, tunnel.bytes_in, tunnel.bytes_out)
            table.add_row(name, *(str(cell) for cell in cells))


if __name__ == "__main__":
    Stock().run()
