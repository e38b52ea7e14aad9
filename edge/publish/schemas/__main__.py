"""Write the schema files: `python -m edge.publish.schemas`."""

from edge.publish.messages import MESSAGES
from edge.publish.schemas import as_text, generate, path_of

for name in MESSAGES:
    path_of(name).write_text(as_text(generate(name)), encoding="utf-8")
