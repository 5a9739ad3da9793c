"""The CEL runtime without its terminal program.

``cel/__init__.py`` imports ``cel.cli``, and with it an interactive shell (prompt_toolkit, pygments): as long as all
the rest of a pack check. An empty module stands in its place while the package is imported, and goes again.
"""

from __future__ import annotations

import sys
from types import ModuleType

_SHELL = "cel.cli"

if "cel" in sys.modules:
    import cel
else:
    sys.modules[_SHELL] = ModuleType(_SHELL)
    try:
        import cel
    finally:
        del sys.modules[_SHELL]

__all__ = ["cel"]
