"""
Shows the images below a folder (in it one for each class) to a model, by nothing but the contract with the code that
serves models: plain torch, the network, the image preparation, classes in alphabetical order. Prints a JSON object: for each
image's path its label, and the class that the model takes it for, with its probability at a temperature.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image
from torch import nn
from torchvision.models import resnet50
from torchvision.transforms import InterpolationMode, functional

SIDE = 224


def network(classes: int) -> nn.Module:
    model = resnet50()
    model.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(2048, 512), nn.ReLU(), nn.Dropout(0.3), nn.Linear(512, classes))
    return model


def prepare(path: Path) -> torch.Tensor:
    image = Image.open(path).convert("RGB")
    scale = SIDE / max(image.size)
    width, height = (int(side * scale) for side in image.size)
    image = functional.resize(image, [height, width], InterpolationMode.BILINEAR)
    left, top = (SIDE - width) // 2, (SIDE - height) // 2
    image = functional.pad(image, [left, top, SIDE - width - left, SIDE - height - top], padding_mode="edge")
    return functional.normalize(functional.to_tensor(image), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


weights, images, temperature = sys.argv[1:]
classes = sorted(folder.name for folder in Path(images).iterdir())
model = network(len(classes)).eval()
model.load_state_dict(torch.load(weights, map_location="cpu"))
result = {}
with torch.inference_mode():
    for path in Path(images).glob("*/*"):
        probability, number = (model(prepare(path)[None]) / float(temperature)).softmax(1)[0].max(0)
        result[str(path.relative_to(images))] = [path.parent.name, classes[number], float(probability)]
print(json.dumps(result))
