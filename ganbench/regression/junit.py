"""What came of checks as JUnit XML, which CI systems show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from ganbench.regression.check import Checked

NOT_XML = re.compile(r"[^\t\n\r -\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""What XML 1.0 may not hold, not even escaped."""


def to_junit(checks: Iterable[Checked]) -> bytes:
    """A test suite a baseline, a test case a comparison; one that fell short is a failure that says by how much."""
    root = ElementTree.Element("testsuites", name="ganbench check")
    for checked in checks:
        failed = [verdict for verdict in checked.verdicts if not verdict.passed]
        suite = ElementTree.SubElement(root, "testsuite", name=checked.baseline.name)
        for count, number in (("tests", len(checked.verdicts)), ("failures", len(failed)), ("errors", 0)):
            suite.set(count, str(number))
        for verdict in checked.verdicts:
            case = ElementTree.SubElement(suite, "testcase", classname=checked.baseline.name, name=_legal(verdict.name))
            if verdict.passed:
                ElementTree.SubElement(case, "system-out").text = _legal(verdict.said)
            else:
                message = f"{verdict.finding}: {verdict.said}"
                ElementTree.SubElement(case, "failure", message=_legal(message), type=verdict.finding.value)
    ElementTree.indent(root)
    found: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return found


def _legal(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
