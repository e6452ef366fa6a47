"""
Makes tiny.onnx beside it: a small network with weights of no meaning, in the form of those that training writes (`images` to
`logits`), so that the page can be tested without a hundred megabytes. Needs the packages numpy and onnx.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

generator = np.random.default_rng(1)
weights = {
    "filters": generator.normal(0, 0.3, (8, 3, 7, 7)),
    "head": generator.normal(0, 2, (4, 8)),
    "offset": generator.normal(0, 0.5, 4),
}
graph = helper.make_graph(
    [
        helper.make_node("Conv", ["images", "filters"], ["maps"], strides=[4, 4]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
        helper.make_node("Gemm", ["features", "head", "offset"], ["logits"], transB=1),
    ],
    "tiny",
    [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 224, 224])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])],
    [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
save(model, Path(__file__).with_name("tiny.onnx"))
