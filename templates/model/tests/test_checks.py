"""checks.py: what is found before the first epoch, and what a full disk leaves."""

from __future__ import annotations

import argparse
import errno
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch
from support import PROGRAMS, environment, make_data, run, run_well

import checks
from common import EXIT_OUT_OF_MEMORY, EXIT_USER_ERROR, UserError, explain
from team import Team


class InAFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class BeforeTraining(InAFolder):
    def error_of(self, data: Path, **options: object) -> str:
        done = run("train.py", data, self.folder / "output", **options)
        self.assertEqual(done.returncode, EXIT_USER_ERROR, done.stdout + done.stderr)
        self.assertNotIn("Epoch", done.stdout)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr

    def test_classes_of_test_that_train_lacks_are_named(self) -> None:
        data = make_data(self.folder / "data")
        (data / "test" / "navicula").rename(data / "test" / "Navicula")
        self.assertRegex(self.error_of(data), r"class\(es\) Navicula, which train/ does not have")

    def test_test_images_that_cannot_be_read_are_named_and_many_are_an_error(self) -> None:
        data = make_data(self.folder / "data")
        for number in range(3):
            (data / "test" / "navicula" / f"{number:03}.png").write_bytes(b"half")
        self.assertRegex(self.error_of(data), r"test/navicula/000.png can't be read[\s\S]*3 of 16 images of .*test")

    def test_what_makes_figures_say_little_is_a_warning(self) -> None:
        data = make_data(self.folder / "data")
        shutil.rmtree(data / "test" / "navicula")
        shutil.copy(data / "train" / "cymbella" / "003.png", data / "test" / "cymbella" / "leak.png")
        log = run_well("train.py", data, self.folder / "output", EPOCHS=1)
        self.assertIn("No test images of the class(es) navicula", log)
        self.assertIn("figures of the class say little: Tabellaria (4), cymbella (5)", log)
        self.assertIn("1 test images are also in train/", log)

    def test_a_data_set_without_test_images_can_be_trained(self) -> None:
        data = make_data(self.folder / "data")
        shutil.rmtree(data / "test")
        self.assertIn("not be tested", run_well("train.py", data, self.folder / "output", EPOCHS=1))


class Room(InAFolder):
    def disk(self, free: int, folder: Path | None = None) -> None:
        usage = shutil.disk_usage(self.folder)._replace(free=free)
        with mock.patch("checks.shutil.disk_usage", return_value=usage):
            output = folder or self.folder / "not" / "there"
            checks.check_disk(output, output / "checkpoint")

    def test_a_disk_that_can_hold_no_checkpoint_is_an_error(self) -> None:
        self.disk(1_200_000_000)
        with self.assertRaisesRegex(UserError, "has 1.0 GB free, and checkpoint and model take 1.1 GB"):
            self.disk(1_000_000_000)

    def test_the_checkpoint_of_before_makes_room(self) -> None:
        checkpoint = self.folder / "checkpoint" / "checkpoint.pt"
        checkpoint.parent.mkdir()
        with open(checkpoint, "wb") as file:
            file.truncate(checks.CHECKPOINT_BYTES)
        self.disk(800_000_000, self.folder)

    def memory(self, free: int, total: int, device: str = "cpu", **options: object) -> None:
        given = {"batch_size": 32, "image_size": 224, "workers": 4, **options}
        with (
            mock.patch("checks.machine_memory", return_value=(free, total)),
            mock.patch("builtins.print") as printed,
        ):
            checks.check_memory(argparse.Namespace(**given), Team(0, 1, torch.device(device)))
        self.printed = "\n".join(call.args[0] for call in printed.call_args_list)

    def test_memory_that_a_batch_does_not_fit_into_is_an_error(self) -> None:
        with self.assertRaisesRegex(UserError, "has 16.0 GB of memory, and this training takes about 31.9 GB"):
            self.memory(15_000_000_000, 16_000_000_000, batch_size=256)

    def test_memory_that_others_use_is_a_warning(self) -> None:
        self.memory(15_000_000_000, 16_000_000_000)
        self.assertNotIn("Warning", self.printed)
        self.memory(2_000_000_000, 16_000_000_000)
        self.assertIn("Warning: This machine may run out of memory", self.printed)

    def test_the_memory_of_this_machine_is_known_on_linux(self) -> None:
        free, total = checks.machine_memory()
        if sys.platform == "linux":
            self.assertTrue(0 < free <= total)

    def test_shared_memory_that_the_batches_do_not_fit_into_is_an_error(self) -> None:
        options = argparse.Namespace(batch_size=32, image_size=224, workers=4)
        usage = shutil.disk_usage(self.folder)
        with mock.patch("checks.Path.is_dir", return_value=True), mock.patch("checks.sys.platform", "linux"):
            with mock.patch("checks.shutil.disk_usage", return_value=usage._replace(free=64_000_000)):
                with self.assertRaisesRegex(UserError, "has 64 MB free, and 4 processes .* take 0.2 GB.*--shm-size"):
                    checks.check_shared_memory(options)
                checks.check_shared_memory(argparse.Namespace(**{**vars(options), "workers": 0}))
            with mock.patch("checks.shutil.disk_usage", return_value=usage._replace(free=200_000_000)):
                checks.check_shared_memory(options)


class FullDisk(InAFolder):
    def small_files(self) -> None:
        """For a process: no file may be larger than 50 MB, which ends a writer as a full disk does."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000_000, 50_000_000))

    def test_a_checkpoint_that_does_not_fit_is_a_sentence_and_the_one_before_stays_whole(self) -> None:
        data, output = make_data(self.folder / "data"), self.folder / "output"
        checkpoint = output / "checkpoint" / "checkpoint.pt"
        command = [sys.executable, str(PROGRAMS / "train.py")]
        training = environment(data, output, {"EPOCHS": 3})
        with subprocess.Popen(command, env=training, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                if line.startswith("Epoch   1/"):
                    process.send_signal(signal.SIGTERM)
        before = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        done = subprocess.run(command, env=training, capture_output=True, text=True, preexec_fn=self.small_files)
        self.assertEqual(done.returncode, EXIT_USER_ERROR, done.stderr)
        self.assertIn("Going on from", done.stdout)
        self.assertRegex(done.stderr, r"checkpoint.pt can't be written: .* are needed, .*are whole.*goes on from there")
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(hashlib.sha256(checkpoint.read_bytes()).hexdigest(), before)
        left = sorted(path.name for path in checkpoint.parent.iterdir())
        self.assertEqual(left, ["checkpoint.pt", "features.npz"])
        self.assertIn("Going on from", run_well("train.py", data, output, EPOCHS=2))

    def test_room_is_asked_for_without_keeping_it(self) -> None:
        checks.reserve(self.folder / "room", 1_000_000)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_file_system_that_can_not_promise_room_is_written_to_all_the_same(self) -> None:
        with mock.patch("checks.os.posix_fallocate", side_effect=OSError(errno.EOPNOTSUPP, "not supported")):
            checks.save_tensors({"a": torch.zeros(3)}, self.folder / "a.pt")
        self.assertEqual(torch.load(self.folder / "a.pt", weights_only=True)["a"].tolist(), [0, 0, 0])

    def test_a_file_takes_no_more_than_was_asked_for(self) -> None:
        content = {
            "network": {"a": torch.zeros(100_000), "b": torch.zeros(3, dtype=torch.int64)},
            "progress": "x" * 500,
        }
        checks.save_tensors(content, self.folder / "a.pt")
        self.assertLessEqual(os.path.getsize(self.folder / "a.pt"), checks.tensor_bytes(content) + 2000)


class Sentences(unittest.TestCase):
    def test_each_way_in_which_memory_or_disk_is_full_has_one(self) -> None:
        for error, code, part in (
            (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), EXIT_OUT_OF_MEMORY, "Lower BATCH_SIZE"),
            (RuntimeError("CUDA error: out of memory"), EXIT_OUT_OF_MEMORY, "Lower BATCH_SIZE"),
            (RuntimeError("HIP out of memory."), EXIT_OUT_OF_MEMORY, "Lower BATCH_SIZE"),
            (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), EXIT_OUT_OF_MEMORY, "Lower BATCH_SIZE"),
            (RuntimeError("Unable to find a valid cuDNN algorithm to run"), EXIT_OUT_OF_MEMORY, "Lower BATCH_SIZE"),
            (
                RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."),
                EXIT_OUT_OF_MEMORY,
                "--shm-size",
            ),
            (RuntimeError("unable to write to file </torch_1_2>: No space left"), EXIT_OUT_OF_MEMORY, "--shm-size"),
            (
                RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
                EXIT_OUT_OF_MEMORY,
                "Lower WORKERS",
            ),
            (RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), EXIT_OUT_OF_MEMORY, "Lower WORKERS"),
            (MemoryError("Unable to allocate 7.11 PiB"), EXIT_OUT_OF_MEMORY, "memory of this machine"),
            (OSError(errno.ENOMEM, "Cannot allocate memory"), EXIT_OUT_OF_MEMORY, "memory of this machine"),
            (RuntimeError("DefaultCPUAllocator: can't allocate memory"), EXIT_OUT_OF_MEMORY, "memory of this machine"),
            (OSError(errno.ENOSPC, "No space left on device"), EXIT_USER_ERROR, "disk is full"),
            (OSError(errno.EDQUOT, "Disk quota exceeded"), EXIT_USER_ERROR, "quota"),
            (OSError(errno.EFBIG, "File too large"), EXIT_USER_ERROR, "ulimit -f"),
            (RuntimeError("basic_ios::clear: iostream error"), EXIT_USER_ERROR, "disk is full"),
            (RuntimeError("[enforce fail] . unexpected pos 320 vs 248"), EXIT_USER_ERROR, "disk is full"),
            (RuntimeError("PytorchStreamWriter failed writing file data/3"), EXIT_USER_ERROR, "disk is full"),
        ):
            with self.subTest(error):
                found = explain(error)
                self.assertIsNotNone(found)
                self.assertEqual(found and found[0], code)
                self.assertIn(part, found[1] if found else "")

    def test_what_is_a_mistake_in_the_program_has_none(self) -> None:
        for error in (RuntimeError("shapes do not match"), OSError(errno.ENOENT, "No such file")):
            self.assertIsNone(explain(error))


if __name__ == "__main__":
    unittest.main()
