"""Write the schema file: `python -m edge.report.schemas`."""

from edge.publish.schemas import as_text
from edge.report.schemas import FILE, full_report_schema

FILE.write_text(as_text(full_report_schema()), encoding="utf-8")
