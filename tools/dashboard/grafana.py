"""deploy/grafana/tensormask.json: the dashboard, `make dashboard`.

Grafana's own format, schema version 39 (Grafana 10 and later); a library for it would be one more
dependency for a hundred lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.dashboard.panels import PANELS, WIDTH, Panel

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "tensormask.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """Return the document that Grafana imports."""
    return {
        "title": "TensorMask",
        "uid": "tensormask",
        "tags": ["tensormask"],
        "description": "Devices that report missing face masks; docs/metrics.md has each figure.",
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [*_variables()]},
        "panels": [*_laid_out()],
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}
    values = "label_values(tensormask_build_info, instance)"
    yield {
        "name": "instance",
        "label": "Device",
        "type": "query",
        "datasource": SOURCE,
        "definition": values,
        "query": {"query": values, "refId": "instances"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _laid_out() -> Iterator[dict[str, Any]]:
    number = y = 0
    for title, panels in PANELS.items():
        number += 1
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        yield {"id": number, "type": "row", "title": title, "gridPos": place, "panels": []}
        x, y, height = 0, y + 1, 0
        for panel in panels:
            number += 1
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            yield _written(panel, number, place)
            x, height = x + panel.width, max(height, panel.height)
        y += height


def _written(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    is_now = panel.kind in ("stat", "table")
    targets = [
        {
            "refId": chr(ord("A") + each),
            "datasource": SOURCE,
            "expr": query.text,
            "legendFormat": query.legend,
            "instant": is_now,
            "range": not is_now,
            "format": "table" if panel.kind == "table" else "time_series",
        }
        for each, query in enumerate(panel.queries)
    ]
    custom = {"stacking": {"mode": "normal" if panel.is_stacked else "none"}, "fillOpacity": 10}
    defaults: dict[str, Any] = {"unit": panel.unit, "mappings": [*_mappings(panel)], "min": 0}
    if panel.kind == "timeseries":
        defaults["custom"] = custom
    if panel.kind == "stat":
        defaults["noValue"] = "–"
        defaults["decimals"] = 0
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.note,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
    }


def _mappings(panel: Panel) -> Iterator[dict[str, Any]]:
    if panel.mapped:
        texts = {
            str(value): {"text": text, "color": color, "index": value}
            for value, (text, color) in enumerate(panel.mapped)
        }
        yield {"type": "value", "options": texts}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "background" if panel.mapped else "value",
            "graphMode": "none",
            "textMode": "auto",
        }
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"}}
    return {}


def text() -> str:
    """Return the document as the file has it."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"
