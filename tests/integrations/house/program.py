"""Home Assistant in one process, under orders: runs with its own Python, in a root of `root.sh`.

`program.py CONFIG BROKER_PORT HTTP_PORT PROTOCOL`. An order is a JSON list on standard input, a
name and its arguments; the answer is a line of JSON on standard output.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant import bootstrap, config_entries, core, loader
from homeassistant.auth import auth_manager_from_config
from homeassistant.components.image import DATA_COMPONENT as IMAGES
from homeassistant.helpers import area_registry, device_registry, entity_registry
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml

MQTT = "mqtt"
RECORDED = (("light", "turn_on"), ("notify", "notify"))
"""Services of which it is noted that they were called: there is neither a lamp nor a phone."""


class Warnings(logging.Handler):
    """What Home Assistant complains of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.name}: {record.getMessage()}")


class House:
    """One Home Assistant, with its MQTT integration."""

    def __init__(self, hass: Any, warnings: Warnings) -> None:
        self._hass = hass
        self._warnings = warnings
        self._fired: list[dict[str, Any]] = []
        self._calls: list[list[Any]] = []
        hass.bus.async_listen("state_changed", self._note)
        for domain, name in RECORDED:
            hass.services.async_register(domain, name, self._note_call)

    @core.callback  # type: ignore[untyped-decorator]
    def _note(self, event: Any) -> None:
        state, old = event.data["new_state"], event.data["old_state"]
        if state is None or state.domain != "event" or state.state in ("unknown", "unavailable"):
            return
        if old is None or old.state in ("unavailable", state.state):
            return  # it has come back with its last event
        noted_at = event.time_fired.isoformat(timespec="milliseconds")
        self._fired.append({"noted_at": noted_at, **state.attributes})

    @core.callback  # type: ignore[untyped-decorator]
    def _note_call(self, call: Any) -> None:
        self._calls.append([f"{call.domain}.{call.service}", dict(call.data)])

    async def states(self) -> dict[str, Any]:
        return {
            each.entity_id: {"state": each.state, **each.attributes}
            for each in self._hass.states.async_all()
        }

    async def devices(self) -> list[dict[str, Any]]:
        areas = area_registry.async_get(self._hass)
        (entry,) = self._hass.config_entries.async_entries(MQTT)
        registry = device_registry.async_get(self._hass)
        found = []
        for device in device_registry.async_entries_for_config_entry(registry, entry.entry_id):
            area = areas.async_get_area(device.area_id) if device.area_id else None
            found.append(
                {
                    "name": device.name,
                    "area": area.name if area else None,
                    "sw_version": device.sw_version,
                    "configuration_url": device.configuration_url,
                    "identifiers": sorted(each for _, each in device.identifiers),
                }
            )
        return found

    async def entities(self) -> dict[str, str]:
        found = entity_registry.async_get(self._hass).entities.values()
        return {each.entity_id: each.unique_id for each in found if each.platform == MQTT}

    async def fired(self) -> list[dict[str, Any]]:
        return self._fired

    async def calls(self) -> list[list[Any]]:
        return self._calls

    async def warnings(self) -> list[str]:
        return self._warnings.texts

    async def call(self, domain: str, service: str, entity_id: str) -> None:
        await self._hass.services.async_call(
            domain, service, {"entity_id": entity_id}, blocking=True
        )

    async def image(self, entity_id: str) -> str | None:
        entity = self._hass.data[IMAGES].get_entity(entity_id)
        picture = await entity.async_image()
        return None if picture is None else base64.b64encode(picture).decode()

    async def automate(self, file: str) -> bool:
        """Take the automations of a file of YAML; tell whether it takes them all."""
        found = load_yaml(file)
        done = await async_setup_component(self._hass, "automation", {"automation": found})
        running = self._hass.states.async_entity_ids("automation")
        return bool(done) and len(running) == len(found)

    async def save(self) -> None:
        """Write down what it knows, as it does some seconds after each change."""
        for registry in (entity_registry, device_registry, area_registry):
            store = registry.async_get(self._hass)
            await store._store.async_save(store._data_to_save())

    async def yaml(self, file: str) -> Any:
        return load_yaml(file)


async def opened(config: Path, port: int, http_port: int, protocol: str) -> Any:
    """Return a Home Assistant that has started, with what it knew before in `config`."""
    hass = core.HomeAssistant(str(config))
    hass.config.skip_pip = True
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    loader.async_setup(hass)
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth_manager_from_config(hass, [{"type": "homeassistant"}], [])
    await async_setup_component(hass, "homeassistant", {})
    http = {"server_host": ["127.0.0.1"], "server_port": http_port}
    await async_setup_component(hass, "http", {"http": http})
    entries = hass.config_entries.async_entries(MQTT)
    if entries:
        await hass.config_entries.async_setup(entries[0].entry_id)
    else:
        entry = config_entries.ConfigEntry(
            data={"broker": "127.0.0.1", "port": port, "protocol": protocol},
            domain=MQTT,
            title=MQTT,
            version=2,
            minor_version=1,
            source="user",
            unique_id=None,
            options={},
            discovery_keys=MappingProxyType({}),
            subentries_data=(),
        )
        await hass.config_entries.async_add(entry)
        await hass.config_entries._store.async_save(hass.config_entries._data_to_save())
    await hass.async_start()
    return hass


async def main(config: str, port: str, http_port: str, protocol: str) -> None:
    warnings = Warnings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger().addHandler(warnings)
    logging.getLogger("homeassistant.components.mqtt").setLevel(logging.DEBUG)
    folder = Path(config)
    folder.mkdir(exist_ok=True)
    (folder / "configuration.yaml").write_text("homeassistant:\n  name: House\n")
    hass = await opened(folder, int(port), int(http_port), protocol)
    house = House(hass, warnings)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    print(json.dumps("started"), flush=True)  # noqa: T201
    while line := await reader.readline():
        name, *arguments = json.loads(line)
        order: Callable[..., Awaitable[Any]] = getattr(house, name)
        try:
            answer: Any = [True, await order(*arguments)]
        except Exception as error:  # noqa: BLE001 - the caller is to read it
            answer = [False, f"{type(error).__name__}: {error}"]
        print(json.dumps(answer, default=str), flush=True)  # noqa: T201
    await hass.async_stop(force=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
