"""With which scans a scan is compared: those of its kind, and of its site where a site has enough of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

MIN_PEERS = 8  # fewer scans have no median and spread that one could judge by
KINDS = {"whole_head": "whole heads", "extracted": "extracted brains"}


@dataclass(frozen=True)
class Peers:
    """Scans that are judged (`judged`) by median and spread of scans that they are among (`reference`)."""

    judged: pd.Index[str]
    reference: pd.Index[str]
    words: str

    @property
    def suffice(self) -> bool:
        """Whether there are enough of them."""
        return len(self.reference) >= MIN_PEERS


def list_peers(kinds: pd.Series[str], sites: pd.Series[str]) -> Iterator[Peers]:
    """Divide scans into those that are comparable.

    Parameters
    ----------
    kinds, sites
        Kind of input and site (missing if unknown) of each scan, the index.

    Yields
    ------
    Every scan once as judged: within its site if that has `MIN_PEERS` scans of its kind, else among all of its kind,
    as scanners differ in noise and contrast more than people do.
    """
    for kind in sorted(set(kinds)):
        members = kinds.index[kinds == kind]
        name = KINDS.get(kind, kind)
        site = sites.reindex(members)
        counts = site.value_counts()
        large = sorted(counts.index[counts >= MIN_PEERS]) if len(counts) > 1 else []
        for place in large:
            own = members[site == place]
            yield Peers(own, own, f"{len(own)} {name} of site {place}")
        others = members[~site.isin(large)]
        if len(others):
            yield Peers(others, members, f"{len(members)} {name}")
