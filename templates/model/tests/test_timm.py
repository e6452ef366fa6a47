"""
The networks of timm, with random weights: no package has theirs. TIMM_PACKAGES is a folder with timm where it is not
installed.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from support import CLASSES, make_data, run_well

sys.path.append(os.environ.get("TIMM_PACKAGES", ""))

import backbones
from backbones import Start


@unittest.skipUnless(importlib.util.find_spec("timm"), "timm is not installed")
class Timm(unittest.TestCase):
    def test_each_short_name_is_a_network_whose_probe_is_linear_in_its_features(self) -> None:
        for short in backbones.TIMM:
            with self.subTest(short):
                name = backbones.backbone_name(short)
                network = backbones.started(Start(name, "none", 64, 1), 3).eval()
                with torch.no_grad():
                    images = torch.randn(2, 3, 64, 64)
                    rows = backbones.features(network)(images).numpy()
                    weight = np.random.default_rng(1).normal(size=(3, rows.shape[1]))
                    backbones.set_head(network, weight, np.zeros(3))
                    np.testing.assert_allclose(network(images).numpy(), rows @ weight.T, rtol=1e-3, atol=1e-3)

    def test_dinov3_comes_under_its_own_licence(self) -> None:
        self.assertEqual(backbones.licence(backbones.backbone_name("dinov3")), "dinov3-license")
        self.assertEqual(backbones.licence(backbones.backbone_name("convnext")), "apache-2.0")

    def test_one_is_trained_and_tested_like_the_others(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            data, output = make_data(Path(name) / "data", 5, 2), Path(name) / "output"
            paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), os.environ.get("TIMM_PACKAGES"))))
            options = {"BACKBONE": "timm:test_convnext.r160_in1k", "EPOCHS": 1, "FOLDS": 2, "PYTHONPATH": paths}
            log = "".join(run_well(program, data, output, **options) for program in ("train.py", "test.py"))
            self.assertIn("serving code knows only the resnet50", log)
            state = torch.load(output / "model.pth", weights_only=True)
            network, count = backbones.restored(output / "model.pth", state)
            self.assertEqual(count, len(CLASSES))
            self.assertIsInstance(network, backbones.Classifier)


if __name__ == "__main__":
    unittest.main()
