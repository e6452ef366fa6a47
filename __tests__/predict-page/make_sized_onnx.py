"""
Makes sized.onnx and sized.json beside it: a small network that also takes the size of the picture, as the template exports it, and
what ONNX Runtime for Python says with it to rgb.png of pictures.json and some sizes. Needs the packages numpy, onnxruntime,
pillow and torch; from the repository's root: PYTHONPATH=templates/model python3 __tests__/predict-page/make_sized_onnx.py
"""

import base64
import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

import export
from preparation import decode, normalise, square
from size_input import log_sides, set_size_head, with_size

HERE = Path(__file__).parent
SIZES = [[55, 23], [23, 55], [13.75, 5.75]]

torch.manual_seed(1)
seeing = nn.Sequential(nn.Conv2d(3, 4, 7, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
network = with_size(seeing, 3, log_sides(np.array([[40, 20], [60, 15]])))
set_size_head(network, np.array([[0.5, 0], [0, -0.5], [-0.2, 0.3]]))
record = json.loads((HERE / "pictures.json").read_text(encoding="utf-8"))["pictures"][0]
image = normalise(square(decode(base64.b64decode(record["file"]))))
sample = (torch.from_numpy(np.stack([image] * len(SIZES))), torch.tensor(SIZES))
print(export.onnx(HERE / "sized.onnx", network, sample))
session = onnxruntime.InferenceSession(str(HERE / "sized.onnx"), providers=["CPUExecutionProvider"])
outputs = session.run(None, {"images": sample[0].numpy(), "size": sample[1].numpy()})[0]
text = json.dumps({"picture": record["name"], "sizes": SIZES, "outputs": outputs.tolist()}, indent=1)
(HERE / "sized.json").write_text(text + "\n", encoding="utf-8")
