"""The gateway on a laptop or in a container: an HTTP server in front of `haimaker`, and its set-up on the first run.

The package `haimaker` is the Lambda layer in `shared/`; in a clone it is put on the path here, so that `python -m local` suffices.
"""

import sys
from pathlib import Path

if sys.platform == "win32":  # which has neither fcntl nor fork
    raise SystemExit("haimaker runs on Linux and macOS; on Windows in WSL 2: https://learn.microsoft.com/windows/wsl/install")

_LAYER = Path(__file__).resolve().parent.parent / "shared"
if _LAYER.is_dir():
    sys.path.insert(0, str(_LAYER))
