"""
Runs the unit tests of the folder that is named, as many classes of them side by side as there are processors, and prints,
after all that they print themselves, one line of JSON: a list of {name, outcome, detail}, the outcome “passed” or what else
became of it. A test that is left out has not passed.
"""

import json
import multiprocessing
import os
import sys
import unittest
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor


class Result(unittest.TestResult):
    def __init__(self) -> None:
        super().__init__()
        self.ended: dict[str, dict[str, str]] = {}

    def note(self, test: unittest.TestCase, outcome: str, detail: str = "") -> None:
        # The first word on a test stays: a failed subtest is followed by others.
        self.ended.setdefault(test.id(), {"name": test.id(), "outcome": outcome, "detail": detail})

    def addSuccess(self, test) -> None:
        self.note(test, "passed")

    def addFailure(self, test, err) -> None:
        self.note(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err) -> None:
        self.note(test, "failed", self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err) -> None:
        if err is not None:
            self.note(test, "failed", f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason) -> None:
        self.note(test, "left out", reason)

    def addExpectedFailure(self, test, err) -> None:
        self.note(test, "passed")

    def addUnexpectedSuccess(self, test) -> None:
        self.note(test, "failed", "It was expected to fail.")


def tests() -> Iterator[tuple[str, unittest.TestCase]]:
    """All tests, each with the name of its class."""
    suites = [unittest.defaultTestLoader.discover(sys.argv[1])]
    while suites:
        for part in suites.pop():
            if isinstance(part, unittest.TestSuite):
                suites.append(part)
            else:
                yield f"{type(part).__module__}.{type(part).__qualname__}", part


def run_class(name: str) -> list[dict[str, str]]:
    result = Result()
    unittest.TestSuite(test for class_name, test in tests() if class_name == name).run(result)
    return list(result.ended.values())


if __name__ == "__main__":
    classes = list(dict.fromkeys(name for name, _ in tests()))
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("fork")) as processes:
        ended = [test for tests_of_class in processes.map(run_class, classes) for test in tests_of_class]
    # After the processes have said their last.
    print(json.dumps(ended))
