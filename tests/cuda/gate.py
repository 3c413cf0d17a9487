"""Nodes of a graph for which CUDA has no kernel: by operator, version and types, without running anything."""

from collections import defaultdict

import onnx
from onnx import TensorProto, helper
from onnxruntime.capi import _pybind_state as state

TYPES = {
    TensorProto.FLOAT: "tensor(float)",
    TensorProto.FLOAT16: "tensor(float16)",
    TensorProto.INT32: "tensor(int32)",
    TensorProto.INT64: "tensor(int64)",
    TensorProto.BOOL: "tensor(bool)",
    TensorProto.DOUBLE: "tensor(double)",
}
_FROM_INPUT = {"EmbedLayerNormalization": 2, "Where": 1, "CastLike": 1}  # whose type the output has; else the first
_BOOLEAN = {"Less", "Equal", "Greater", "LessOrEqual", "GreaterOrEqual", "Not", "And", "Or"}
_INLINED = {"CastLike"}  # functions: onnxruntime takes them apart


def without_a_kernel(path, kernels):
    """What CUDA cannot run of a graph.

    Args:
        path: of the graph; its weights are not read.
        kernels: as `registered` gave them.

    Returns:
        A line for each kind of node.
    """
    model = onnx.load(path, load_external_data=False)
    types = types_of(model.graph)
    versions = {one.domain: one.version for one in model.opset_import}
    missing = {}
    for node in model.graph.node:
        schema = schema_of(node, versions)
        wanted = types_wanted(node, schema, types)
        have = kernels.get((node.domain, node.op_type), [])
        if node.op_type not in _INLINED and not any(kernel.takes(schema.since_version, wanted) for kernel in have):
            named = ", ".join(f"{parameter} {'/'.join(sorted(types))}" for parameter, types in sorted(wanted.items()))
            missing[f"{node.op_type} {schema.since_version} of {named}"] = node.name
    return [f"{kind}: {name}" for kind, name in missing.items()]


def schema_of(node, versions):
    """The operator's schema that is in force."""
    version = versions.get(node.domain, 1)
    known = [one for one in _schemas()[node.domain, node.op_type] if one.since_version <= version]
    return max(known, key=lambda one: one.since_version)


def types_wanted(node, schema, types):
    """The types that a node has for each of its operator's type parameters."""
    wanted = defaultdict(set)
    for formal, names in ((schema.inputs, node.input), (schema.outputs, node.output)):
        for i, name in enumerate(names):
            parameter = formal[min(i, len(formal) - 1)].typeStr
            if name in types and not parameter.startswith("tensor("):
                wanted[parameter].add(TYPES[types[name]])
    return dict(wanted)


def types_of(graph):
    """Element types by name; onnx's own inference knows no operator of onnxruntime's."""
    types = {one.name: one.data_type for one in graph.initializer}
    types |= {one.name: one.type.tensor_type.elem_type for one in graph.input}
    for node in graph.node:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "Cast":
            output = attributes["to"]
        elif node.op_type == "Shape":
            output = TensorProto.INT64
        elif node.op_type in _BOOLEAN:
            output = TensorProto.BOOL
        elif node.op_type == "ConstantOfShape":
            output = attributes["value"].data_type
        else:
            output = types[node.input[_FROM_INPUT.get(node.op_type, 0)]]
        types |= dict.fromkeys(node.output, output)
        if node.op_type == "EmbedLayerNormalization" and len(node.output) > 1:
            types[node.output[1]] = TensorProto.INT32
    return types


def _schemas():
    schemas = defaultdict(list)
    for one in state.get_all_operator_schema():
        schemas["" if one.domain == "ai.onnx" else one.domain, one.name].append(one)
    return schemas
