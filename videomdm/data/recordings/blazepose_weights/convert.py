"""Make the two networks beside this file out of MediaPipe's; run once, its results are in the repository.

    pip download --no-deps --python-version 3.11 --platform manylinux_2_28_x86_64 --only-binary :all: mediapipe==0.10.21
    pip install tf2onnx tensorflow-cpu ai-edge-litert      # in an environment of its own
    python convert.py mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl

What is changed: sparse weights are written out, outputs that nobody reads here (segmentation, 3-D) are cut off with
the layers that lead to them alone, weights stay the half-precision numbers that they are.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor
from tensorflow.lite.python import schema_py_generated as schema

HERE = Path(__file__).parent
MODULES = "mediapipe/modules"
NETWORKS = {
    "person": (f"{MODULES}/pose_detection/pose_detection.tflite", ["Identity", "Identity_1"]),
    "landmarks": (f"{MODULES}/pose_landmark/pose_landmark_full.tflite", ["Identity", "Identity_1", "Identity_3"]),
}


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as file, tempfile.TemporaryDirectory() as folder:
        for name, (member, outputs) in NETWORKS.items():
            dense, whole = Path(folder, f"{name}.tflite"), Path(folder, f"{name}.onnx")
            dense.write_bytes(densified(file.read(member)))
            convert = ["-m", "tf2onnx.convert", "--opset", "17", "--tflite", str(dense), "--output", str(whole)]
            subprocess.run([sys.executable, *convert], check=True)
            model = Extractor(onnx.load(whole)).extract_model(["input_1"], outputs)
            onnx.save(halved(model), HERE / f"{name}.onnx")
        license_file = next(n for n in file.namelist() if n.endswith(".dist-info/LICENSE"))
        (HERE / "LICENSE").write_bytes(file.read(license_file))


def densified(content: bytes) -> bytes:
    """The network with its sparse weights written out, by the values that LiteRT itself reads them as."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runtime = Interpreter(
        model_content=content, experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
    )
    runtime.allocate_tensors()
    runtime.invoke()
    graph = model.subgraphs[0]
    kept = []
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.DENSIFY:
            kept.append(operator)
            continue
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(runtime.get_tensor(operator.outputs[0]).tobytes(), np.uint8)
        graph.tensors[operator.outputs[0]].buffer = len(model.buffers)
        model.buffers.append(buffer)
        sparse = graph.tensors[operator.inputs[0]]
        sparse.sparsity, sparse.buffer, sparse.shape = None, 0, np.zeros(1, np.int32)
    graph.operators = kept
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights kept in half precision where that loses nothing, each with a cast that a runtime does once."""
    weights, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        half = values.astype(np.float16)
        if values.dtype != np.float32 or values.size < 64 or (half.astype(np.float32) != values).any():
            weights.append(tensor)
            continue
        weights.append(numpy_helper.from_array(half, f"{tensor.name}/half"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}/half"], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(weights)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", help="MediaPipe's, a file")
    main(parser.parse_args().wheel)
