"""ModelInferRequest becomes a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.runtime.text.tokenizer import Truncate
from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.queries import EmbedTexts, TextOptions
from polyseme.server.inference.validation import Limits
from polyseme.server.wire.kserve.tensors import BYTES, OUTPUTS, TEXT, split_raw

TRUNCATE: Final = {one.value: one for one in Truncate}
PARAMETERS: Final = {
    "truncate": ("string_param",),
    "prompt_name": ("string_param",),
    "normalize": ("bool_param",),
    "dimensions": ("int64_param", "uint64_param"),
}
IGNORED: Final = ("triton_enable_empty_final_response",)  # of models with several replies to one request
Parameters: TypeAlias = Mapping[str, pb.InferParameter]


def embed_texts(request: pb.ModelInferRequest, limits: Limits) -> EmbedTexts:
    """Convert the input and the parameters of a request.

    Raises:
        InvalidInputError: the field that is wrong: what, got, limit.
    """
    values = _values(request.parameters)
    truncate = values.get("truncate", Truncate.NONE.value)
    if truncate not in TRUNCATE:
        raise InvalidInputError(f": one of {', '.join(TRUNCATE)} is needed", ("parameters", "truncate"))
    return EmbedTexts(
        texts=_texts(request, limits),
        options=TextOptions(truncate=TRUNCATE[str(truncate)], prompt_name=str(values.get("prompt_name", ""))),
        normalize=bool(values["normalize"]) if "normalize" in values else None,
        dimensions=int(values["dimensions"]) if "dimensions" in values else None,
    )


def output_names(request: pb.ModelInferRequest) -> Sequence[str]:
    """Give the outputs that are asked for, in this order; all where none is.

    Raises:
        InvalidInputError: there is no such output, or it is asked for in another form.
    """
    for index, one in enumerate(request.outputs):
        if one.name not in OUTPUTS:
            raise InvalidInputError(f": there is no such output; there are: {', '.join(OUTPUTS)}", ("outputs", index))
        _refuse_any(one.parameters, "outputs", index)
    return [one.name for one in request.outputs] or list(OUTPUTS)


def _values(parameters: Parameters) -> dict[str, str | bool | int]:
    values = {}
    for name, parameter in parameters.items():
        if name in IGNORED:
            continue
        if name not in PARAMETERS:
            raise InvalidInputError(
                f": got one that is not known here; there are: {', '.join(PARAMETERS)}", ("parameters",)
            )
        kind = parameter.WhichOneof("parameter_choice")
        if kind not in PARAMETERS[name]:
            raise InvalidInputError(f": {' or '.join(PARAMETERS[name])} is needed", ("parameters", name))
        values[name] = getattr(parameter, kind)
    return values


def _texts(request: pb.ModelInferRequest, limits: Limits) -> list[str]:
    if [one.name for one in request.inputs] != [TEXT]:
        raise InvalidInputError(f": one is needed, of name {TEXT}", ("inputs",))
    (tensor,) = request.inputs
    _refuse_any(tensor.parameters, "inputs", 0)
    if tensor.datatype != BYTES.name:
        raise InvalidInputError(f": {BYTES.name} is needed", ("inputs", 0, "datatype"))
    shape = tuple(tensor.shape)
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)) or not 1 <= shape[0] <= limits.max_texts:
        raise InvalidInputError(f": [N] or [N, 1] is needed, N 1..{limits.max_texts}", ("inputs", 0, "shape"))
    count = shape[0]
    if request.raw_input_contents:
        if len(request.raw_input_contents) > 1 or tensor.HasField("contents"):
            raise InvalidInputError(": one entry is needed, and no contents beside it", ("raw_input_contents",))
        return _decoded(split_raw(request.raw_input_contents[0], count))
    got = len(tensor.contents.bytes_contents)
    if got != count:
        place = ("inputs", 0, "contents", "bytes_contents")
        raise InvalidInputError(f" has {got} entries; the shape has {count}", place)
    return _decoded(tensor.contents.bytes_contents)


def _decoded(elements: Sequence[bytes]) -> list[str]:
    texts = []
    for index, element in enumerate(elements):
        try:
            texts.append(element.decode())
        except UnicodeDecodeError:
            raise InvalidInputError(" is not UTF-8", ("inputs", 0, index)) from None
    return texts


def _refuse_any(parameters: Parameters, field: str, index: int) -> None:
    """Refuse parameters of a tensor: shared memory, or another form."""
    if parameters:
        raise InvalidInputError(": tensors take no parameters here, and are in no shared memory", (field, index))
