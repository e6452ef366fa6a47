"""
Makes pictures.json beside it: small pictures of all kinds (base64), with the sum of what the template's preparation makes of
each, and what ONNX Runtime for Python says to it with tiny.onnx. Needs the packages numpy, onnxruntime and pillow; from the
repository's root: PYTHONPATH=templates/model python3 __tests__/predict-page/make_pictures.py
"""

import base64
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
import PIL
from PIL import Image

from preparation import decode, normalise, square

HERE = Path(__file__).parent
session = onnxruntime.InferenceSession(str(HERE / "tiny.onnx"), providers=["CPUExecutionProvider"])


def picture(width: int, height: int) -> Image.Image:
    """Stripes and steps."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    values = x * 3 + y * 7 + c * 83 + (x // 7 + y // 5) % 2 * 90
    return Image.fromarray((values % 256).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


rgb = picture(55, 23)
grey = rgb.convert("L")
clear = rgb.copy()
clear.putalpha(grey.point(lambda value: 0 if value < 128 else 200))
deep = Image.fromarray((np.asarray(grey).astype(np.uint16) * 13 + 300).astype(np.uint16))
real = Image.fromarray(np.asarray(grey).astype(np.float32) / 7)
files = {
    "rgb.png": saved(rgb, "png"),
    "grey.png": saved(grey, "png"),
    "two-levels.png": saved(grey.convert("1"), "png"),
    "four-bits.png": saved(grey.quantize(16), "png", bits=4),
    "palette.png": saved(rgb.quantize(32), "png"),
    "transparent.png": saved(clear, "png"),
    "transparent-palette.png": saved(rgb.quantize(32), "png", transparency=3),
    "grey-alpha.png": saved(clear.convert("LA"), "png"),
    "sixteen-bits.png": saved(deep, "png"),
    "rgb.tif": saved(rgb, "tiff"),
    "rgb-lzw.tif": saved(rgb, "tiff", compression="tiff_lzw"),
    "sixteen-bits.tif": saved(deep, "tiff"),
    "floating-point.tif": saved(real, "tiff"),
    "tall.png": saved(rgb.transpose(Image.Transpose.ROTATE_90), "png"),
    "large.png": saved(picture(640, 333), "png"),
}
records = []
for name, content in files.items():
    prepared = square(decode(content))
    outputs = session.run(None, {"images": normalise(prepared)[None]})[0][0]
    records.append(
        {
            "name": name,
            "file": base64.b64encode(content).decode(),
            "sha256": hashlib.sha256(prepared.tobytes()).hexdigest(),
            "outputs": [float(value) for value in outputs],
        }
    )
origin = f"make_pictures.py with Pillow {PIL.__version__}, NumPy {np.__version__}, ONNX Runtime {onnxruntime.__version__}"
text = json.dumps({"origin": origin, "pictures": records}, indent=1)
(HERE / "pictures.json").write_text(text + "\n", encoding="utf-8")
