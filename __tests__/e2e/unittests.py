"""
Runs the unit tests of the folder that is named and prints, after all that they print themselves, one line of JSON: a list
of {name, outcome, detail}, the outcome “passed” or what else became of it. A test that is left out has not passed.
"""

import json
import sys
import unittest


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


result = Result()
unittest.defaultTestLoader.discover(sys.argv[1]).run(result)
print(json.dumps(list(result.ended.values())))
