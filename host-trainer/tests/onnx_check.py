"""Checks every NN.onnx of a folder with onnx's full checker and runs it in onnxruntime.

NN.input holds little-endian f32 faces, as many as fit; their embeddings go to NN.output.
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 8, (path, model.ir_version)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 13)], path
    assert model.producer_name == "usher-train" and model.producer_version, path
    assert model.graph.name and model.doc_string, path

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    (result,) = session.get_outputs()
    assert (entry.name, entry.type, entry.shape[0]) == ("input", "tensor(float)", "N"), path
    assert (result.name, result.type, result.shape[0]) == ("embedding", "tensor(float)", "N"), path
    faces = numpy.fromfile(path.with_suffix(".input"), "<f4").reshape(-1, *entry.shape[1:])
    (embeddings,) = session.run(None, {"input": faces})
    assert embeddings.shape == (len(faces), result.shape[1]), (path, embeddings.shape)
    embeddings.astype("<f4").tofile(path.with_suffix(".output"))
