"""Packed graphs for a CPU."""

import shutil
from dataclasses import replace

from polyseme.artifact import Artifact, GraphSet, Layout, Pooling, Precision, Variant
from polyseme.export.encoders.architectures import bert
from polyseme.export.graphs.graph import build_graph
from polyseme.export.graphs.packed_on_cpu import cpu_graph_of
from polyseme.export.graphs.weights import write_weights
from polyseme.export.reading.checkpoint import Checkpoint


def cpu_graphs(artifact, device):
    """The CPU form of each packed graph."""
    graphs = artifact.manifest.precisions[device.precision].of(Layout.PACKED).graphs
    return {variant: cpu_graph_of(artifact.path(name)) for variant, name in graphs.items()}


def packed_fp32(checkpoint, artifact, directory):
    """An artifact with packed graphs in fp32, which export does not write: there, equal means equal."""
    shutil.copytree(artifact, directory)
    copy, source = Artifact.open(directory), Checkpoint(checkpoint)
    config = bert.read_config(source)
    encoder = bert.read_encoder(source, config)
    tensors = write_weights(encoder, Precision.FP32, directory / "packed.bin", Layout)
    graphs = {variant: f"{variant.value}.fp32.packed.onnx" for variant in Variant}
    for variant, name in graphs.items():
        model = build_graph(
            config,
            variant,
            Precision.FP32,
            Layout.PACKED,
            pooling=Pooling.MEAN,
            weights=tensors[Layout.PACKED],
            weights_file="packed.bin",
        )
        (directory / name).write_bytes(model.SerializeToString())
    entry = replace(
        copy.manifest.precisions[Precision.FP32],
        tensors=tensors[Layout.PADDED],
        weights="packed.bin",
        packed=GraphSet(graphs=graphs, tensors=tensors[Layout.PACKED]),
    )
    return Artifact(directory, replace(copy.manifest, precisions={**copy.manifest.precisions, Precision.FP32: entry}))
