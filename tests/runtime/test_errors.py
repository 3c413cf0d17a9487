"""What onnxruntime says, on one line."""

import pytest

from polyseme.runtime.errors import first_line

SOURCE = (
    "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_kernel.h:296 static cudnnContext* onnxruntime::cuda::F(int) "
)
CAUSE = "dlopen failed for libcudnn.so: libcudnn.so: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("out of memory", "out of memory"),
        ("\nout of memory\nat 0x1", "out of memory"),
        ("", "RuntimeError"),
        (
            f"[ONNXRuntimeError] : 1 : FAIL : {SOURCE}CUDA failure 2: out",
            "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 2: out",
        ),
        (
            f"Status Message: {SOURCE}[ONNXRuntimeError] : 9 : {CAUSE}",
            f"Status Message: [ONNXRuntimeError] : 9 : {CAUSE}",
        ),
    ],
)
def test_first_line_says_what_and_not_where(said, line):
    assert line == first_line(RuntimeError(said))


def test_first_line_keeps_the_beginning_and_the_cause():
    line = first_line(RuntimeError(f"what {'x' * 1000} {CAUSE}"))
    assert line.startswith("what xxx")
    assert line.endswith(CAUSE)
    assert len(line) <= 310
