"""What only a GPU can show; skipped with a reason where there is none."""

import numpy as np
import pytest

from polyseme.artifact import Artifact, Precision
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.batch import collate
from polyseme.runtime.errors import RuntimeUnavailableError
from polyseme.runtime.session import CPU, CUDA, Device, Session, choose_device

pytestmark = pytest.mark.gpu


@pytest.fixture
def cuda(minilm_artifact):
    artifact = Artifact.open(minilm_artifact)
    try:
        return artifact, choose_device("cuda", artifact)
    except RuntimeUnavailableError as reason:
        pytest.skip(str(reason))


def test_fp16_on_cuda_agrees_with_fp32_on_cpu(cuda):
    artifact, device = cuda
    assert (device.execution_provider, device.precision) == (CUDA, Precision.FP16)
    rng = np.random.default_rng(3)
    ids = rng.integers(1000, 30000, (16, 64)).tolist()
    batch = collate([row[: 4 + 4 * i] for i, row in enumerate(ids)], 0)
    reference = Session(artifact, Device(execution_provider=CPU, precision=Precision.FP32))
    (got,), (want,) = Session(artifact, device).run(batch, [NORMALIZED]), reference.run(batch, [NORMALIZED])
    assert np.einsum("nd,nd->n", got, want).min() >= 0.99999
