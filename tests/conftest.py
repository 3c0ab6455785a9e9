"""`make test` runs the tests, and some tests run make: theirs must not be a part of the one above them."""

import os

for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
    os.environ.pop(name, None)
