"""The tasks: each kind of output that a text can be run for."""

from polyseme.runtime.tasks.layers import LayerMix, LayerVectors
from polyseme.runtime.tasks.pooled import PooledVector
from polyseme.runtime.tasks.task import FloatArray, Outputs, Task, TaskBatch

__all__ = ["FloatArray", "LayerMix", "LayerVectors", "Outputs", "PooledVector", "Task", "TaskBatch"]
