"""The whole report as JSON Schema (2020-12), beside this: what `--format json` prints.

`python -m edge.report.schemas` makes it from `edge.report.records`; a test fails when it is stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.publish.schemas import schema_of
from edge.report.records import Report

NAME = "full-report"
FILE = Path(__file__).with_name(f"{NAME}.json")


def full_report_schema() -> dict[str, Any]:
    return schema_of(Report, NAME)
