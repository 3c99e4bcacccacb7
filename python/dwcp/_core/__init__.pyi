"""The compiled core of dwcp. Use the modules dwcp.<topic> instead."""

from dwcp._core import (
    cache as cache,
    checksum as checksum,
    delta as delta,
    isa as isa,
    lockfree as lockfree,
    lockfree_shared as lockfree_shared,
    machine as machine,
    memory as memory,
    placed_memory as placed_memory,
    topology as topology
)
