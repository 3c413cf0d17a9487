"""What a text is run for: each kind of output is a Task."""

from polyseme.runtime.tasks.layers import LayerMix, LayerVectors
from polyseme.runtime.tasks.pooled import PooledVector
from polyseme.runtime.tasks.task import FloatArray, Outputs, Task, TaskBatch

__all__ = ["FloatArray", "LayerMix", "LayerVectors", "Outputs", "PooledVector", "Task", "TaskBatch"]
