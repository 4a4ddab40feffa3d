"""decord, imported so that it leaves CUDA alone.

On Linux decord2's import loads every shared library of the installed `nvidia` packages into the global namespace.
Clips are decoded on the CPU, which needs none of them, and among them is libnvblas, which takes over the process's
BLAS: on a machine without a GPU the next large matrix product of torch then crashes. While `nvidia` is marked absent,
decord finds nothing to load.
"""

import sys
from types import ModuleType

_absent = object()
_found: ModuleType | object = sys.modules.get("nvidia", _absent)
sys.modules["nvidia"] = None  # type: ignore[assignment]
try:
    import decord
finally:
    if isinstance(_found, ModuleType):
        sys.modules["nvidia"] = _found
    else:
        del sys.modules["nvidia"]

decord.logging.set_level(decord.logging.QUIET)

__all__ = ["decord"]
