"""The section about metrics."""

from __future__ import annotations

from edge.config.page import PageSettings
from edge.config.section import Section


class MetricsSettings(Section, frozen=True):
    """Figures for a program that collects them, at `/metrics` of the page."""

    enabled: bool = False
    token_file: str = ""
    """A file that only the service's user and root can read, or `credential:NAME`: the token on
    its first line, 20 characters or more. Without it, as the page is open: to this machine."""

    def refuse_beside(self, page: PageSettings) -> None:
        """Raise ValueError where such a page cannot serve them, or not safely."""
        if not self.enabled:
            return
        if not page.enabled:
            raise ValueError("[metrics] enabled: the page serves them; set [page] enabled = true")
        if not self.token_file and (page.password_file or page.external_url or page.proxies):
            raise ValueError(
                "[metrics] needs a token_file where [page] has a password_file, an external_url or "
                "proxies: a program that collects metrics cannot log in, and what comes through a "
                "proxy on this machine seems to come from this machine"
            )
