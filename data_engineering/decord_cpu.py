"""decord, imported without the CUDA libraries that it does not need here.

On its import decord2 3.4 loads every CUDA library of the environment into the process's global namespace. One of them,
libnvblas, takes the matrix products of whatever is loaded after it, torch among them, and ends the process with a
segmentation fault where no nvblas.conf names a BLAS library. decord decodes on the CPU here and needs none of them.
"""

import sys
from importlib import import_module
from typing import Any


def _import_alone() -> Any:
    """Imports decord while the package that holds the CUDA libraries cannot be found."""
    modules: dict[str, Any] = sys.modules
    absent = object()
    nvidia = modules.get("nvidia", absent)
    modules["nvidia"] = None  # what Python itself takes for "there is no such package"
    try:
        return import_module("decord")
    finally:
        if nvidia is absent:
            del modules["nvidia"]
        else:
            modules["nvidia"] = nvidia


decord = _import_alone()
