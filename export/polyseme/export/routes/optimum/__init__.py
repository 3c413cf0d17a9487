"""Export through transformers, torch and optimum: any encoder whose attention onnxruntime's optimizer can fuse.

torch, transformers and optimum are imported in this package alone, and inside its functions: they are an extra.
"""

from polyseme.export.routes.optimum.packages import COMPARING, refuse_missing_packages
from polyseme.export.routes.optimum.route import OptimumRoute, open_route
from polyseme.export.routes.optimum.torch_model import load_model, read_config, reference

__all__ = [
    "COMPARING",
    "OptimumRoute",
    "load_model",
    "open_route",
    "read_config",
    "reference",
    "refuse_missing_packages",
]
