#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The test runner counts honestly: a crash, a hang, an empty program, a lost program or no test at all is never a success."""
import json
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# A stand-in for a GoogleTest program: writes the report that GTEST_OUTPUT asks for, then ends as told.
GTEST = """#!/bin/bash
cat > "${{GTEST_OUTPUT#json:}}" <<'END'
{report}
END
{ending}
"""


def case(name, result="COMPLETED", **more):
    return {"name": name, "classname": "Suite", "status": "RUN", "result": result, **more}


def report(*cases):
    return json.dumps({"testsuites": [{"name": "Suite", "testsuite": list(cases)}]})


def runs(process):
    """False when it is gone, or dead and only not yet collected by its new parent."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Counts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.list = []

    def tearDown(self):
        self.folder.cleanup()

    def program(self, name, text, properties=""):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)
        self.list.append(f'add_test({name} "{path}")')
        if properties:
            self.list.append(f"set_tests_properties({name} PROPERTIES {properties})")

    def gtest(self, name, *cases, ending="exit 0"):
        self.program(name, GTEST.format(report=report(*cases), ending=ending))

    def script(self, name, body, properties=""):
        self.program(name, "#!/bin/bash\n" + body + "\n", properties)

    def run_all(self, *arguments):
        with open(os.path.join(self.folder.name, "CTestTestfile.cmake"), "w", encoding="utf-8") as file:
            file.write("\n".join(self.list) + "\n")
        result = subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "tools/run_tests.py"), "--build", self.folder.name,
                                 *arguments], capture_output=True, text=True, check=False)
        return result.returncode, result.stdout.strip().splitlines()

    def expect(self, passed, failed, skipped, *arguments):
        code, lines = self.run_all(*arguments)
        self.assertEqual(lines[-1], f"{passed} passed, {failed} failed, {skipped} skipped", "\n".join(lines))
        self.assertEqual(code == 0, failed == 0 and passed > 0)
        return "\n".join(lines)

    def test_single_cases_are_counted(self):
        self.gtest("a_test", case("One"), case("Two"), case("Three", "SKIPPED"))
        self.script("e2e", "exit 0")
        self.assertIn("skipped Suite.Three", self.expect(3, 0, 1))

    def test_a_failed_case_fails_the_run(self):
        self.gtest("a_test", case("One"), case("Two", failures=[{"failure": "x is not y"}]), ending="exit 1")
        self.assertIn("x is not y", self.expect(1, 1, 0))

    def test_a_crash_before_the_report_is_a_failure(self):
        self.gtest("a_test", case("One"))
        self.script("b_test", "echo going down; kill -SEGV $$")
        self.assertIn("going down", self.expect(1, 1, 0))

    def test_a_crash_after_all_cases_passed_is_a_failure(self):
        self.gtest("a_test", case("One"), ending="exit 23")
        self.expect(1, 1, 0)

    def test_a_program_without_a_case_is_a_failure(self):
        self.gtest("a_test")
        self.expect(0, 1, 0)

    def test_a_program_that_was_not_built_is_a_failure(self):
        self.list.append('add_test(lost "/nonexistent/lost_test")')
        self.expect(0, 1, 0)

    def test_a_hanging_script_is_stopped_with_its_children(self):
        self.script("hang", f"sleep 1000 &\necho $! > {self.folder.name}/child\nwait", "TIMEOUT 1")
        self.assertIn("stopped after 1 s", self.expect(0, 1, 0))
        with open(os.path.join(self.folder.name, "child"), encoding="utf-8") as file:
            self.assertFalse(runs(int(file.read())))

    def test_a_skipped_script_says_why(self):
        self.script("ok", "exit 0")
        self.script("cannot", "echo needs a real device; exit 77")
        self.assertIn("skipped cannot: needs a real device", self.expect(1, 0, 1))

    def test_nothing_but_skipped_is_not_a_success(self):
        self.script("cannot", "echo needs a real device; exit 77")
        self.expect(0, 0, 1)

    def test_no_test_at_all_is_not_a_success(self):
        self.expect(0, 0, 0)

    def test_a_filter_that_matches_nothing_is_not_a_success(self):
        self.script("ok", "exit 0")
        self.assertIn("no test matches 'xyz'", self.expect(0, 0, 0, "xyz"))


if __name__ == "__main__":
    unittest.main()
