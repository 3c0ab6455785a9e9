"""`python -m tests.fuzz.gateway`: the local gateway, to which images may also come from this machine, where a hostile host is."""

import sys
from functools import partial

from haimaker.upstream import image_fetcher
from local.__main__ import main

open_fetcher = partial(image_fetcher.ImageFetcher, may_connect=lambda address: True, ports=frozenset(range(1, 65_536)))

if __name__ == "__main__":
    image_fetcher.ImageFetcher = open_fetcher  # type: ignore[assignment,misc]
    sys.exit(main())
