"""Memory that is not used any more goes back to the system: by itself the C library keeps the most that was ever needed.

With a heap for many threads at once, and large blocks in them once one was freed, images of 20 MB for two dozen clients left 550 MB
behind. https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

import ctypes

ARENA_MAX, MMAP_THRESHOLD = -8, -3
"""Names of `mallopt`'s parameters in glibc."""
HEAPS = 2
LARGE_BYTES = 256 * 1024
"""A block of this size is the system's own, and given back as soon as it is freed."""


def give_back_memory() -> None:
    """Has freed memory given back to the system. Does nothing where the C library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(ARENA_MAX, HEAPS)
    mallopt(MMAP_THRESHOLD, LARGE_BYTES)
