"""Memory that nobody uses any more, given back to the system.

What lives here: one call to the allocators. What does not: when frames are let go; Python does that.
"""

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Give back what was freed, as far as the allocators can.

    Arrow's and the C library's keep freed memory for later. A process that carries out step after step of a run would
    so hold the sum of what its steps have let go, each of another size than the next one's.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, others give memory back by themselves
    if trim is not None:
        trim(0)
