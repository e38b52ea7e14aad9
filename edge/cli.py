"""The command line: builds the real objects, and turns errors into one line and an exit status."""

from __future__ import annotations

import argparse
import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, cast

import msgspec

from edge.address import did_you_mean
from edge.app.output import (
    Output,
    OutputError,
    colored,
    fitted,
    json_text,
    takes_color,
    wrapped,
    write_everything,
    written_anywhere,
)
from edge.classify.card import load_bundle
from edge.clock import SYSTEM_CLOCK
from edge.config import (
    DEFAULT_PATH,
    DetectorSettings,
    MqttSettings,
    Settings,
    broker_at,
    load_settings,
)
from edge.detect import detectors, weights
from edge.errors import ConfigError, NotAllowedError, TensorMaskError
from edge.host.systemd import complain
from edge.installed import PREFIX, Slot
from edge.version import version

# A command line speaks on standard output.
# ruff: noqa: T201


EXAMPLES = "examples:"
NARROW, NARROW_INDENT = 60, 6
"""Columns."""
INTERRUPTED = 130
"""The exit status that shells give to what SIGINT has ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        write_everything(stream)
    try:
        with redirect_stdout(cast("TextIO", Output(sys.stdout or StringIO()))):
            return _obey(arguments)
    except TensorMaskError as error:
        if isinstance(error, NotAllowedError):
            complain(f"{error}; {_with_sudo(arguments)}")
        elif str(error):
            complain(str(error))
        if isinstance(error, OutputError):
            sys.stdout = None  # Python would try once more at exit, and complain
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


def _with_sudo(arguments: Sequence[str] | None) -> str:
    """Return the same command as somebody may give it who is allowed to."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:
        return "the service is started by: sudo systemctl start tensormask"
    hint = "give the broker: --broker HOST; or " if words[:1] == ["watch"] else ""
    return f"{hint}run: {shlex.join(['sudo', 'tensormask', *words])}"


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; or end at once, while modules are being loaded.

    Nothing is open then, and an extension would print a traceback and raise ImportError instead.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


def _obey(arguments: Sequence[str] | None) -> int:
    try:
        options, unknown = build_parser().parse_known_args(arguments)
        if unknown:
            _refuse(options.parser, unknown)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    finally:
        sys.stdout.flush()


def _refuse(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> None:
    """End with the usage of the command that does not know these words."""
    options = [word for action in parser._actions for word in action.option_strings]
    near = did_you_mean(unknown[0], options) if unknown[0].startswith("-") else ""
    parser.error(f"unrecognized arguments: {' '.join(unknown)}{near}")


class _Parser(argparse.ArgumentParser):
    """Suggests the nearest word that can stand where a wrong one does; so do its commands'."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            near = did_you_mean(str(value), map(str, action.choices or ()))
            raise argparse.ArgumentError(action, f"{error.message}{near}") from None


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tensormask",
        description="Watches a camera and says over MQTT when somebody wears no mask.",
        epilog=_examples("tensormask status", "tensormask COMMAND --help"),
        formatter_class=_Help,
    )
    parser.set_defaults(json=False)
    parser.add_argument("--version", action="version", version=f"tensormask {version()}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        _add_run,
        _add_check,
        _add_doctor,
        _add_status,
        _add_replay,
        _add_watch,
        _add_outbox,
        _add_forget,
        _add_models,
        _add_release,
        _add_bench,
        _add_manual,
    ):
        add(commands)
    return parser


class _Help(argparse.HelpFormatter):
    """Wraps what is text between its words, and leaves examples as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        # On a narrow terminal the column of the options would leave no room for words.
        if self._width < NARROW:
            self._max_help_position = NARROW_INDENT

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(EXAMPLES):
            return text
        return "\n".join(indent + line for line in self._split_lines(text, width))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(" ".join(text.split()), width)


def _examples(*lines: str) -> str:
    return "\n".join([EXAMPLES, *(f"  {line}" for line in lines)])


def _command(
    commands: Any,
    name: str,
    does: Callable[[argparse.Namespace], int],
    text: str,
    *examples: str,
) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=_examples(*examples), formatter_class=_Help
    )
    added.set_defaults(command=does, parser=added)
    return added


def _add_run(commands: Any) -> None:
    text = "Watch and publish, until stopped: what the service runs."
    _add_config(_command(commands, "run", _run, text, "tensormask run --config door.toml"))


def _add_check(commands: Any) -> None:
    check = _command(
        commands,
        "check",
        _check,
        "Check configuration, model, detector, camera and broker; exit 78 when the configuration "
        "is wrong, 65 when a model is, 72 when a package is missing, 1 when the camera or the "
        "broker is not there.",
        "sudo tensormask check",
        "tensormask check --config door.toml --only camera",
    )
    _add_config(check)
    _add_json(check, "one JSON document a line, one for each part")
    check.add_argument(
        "--only",
        choices=["configuration", "model", "detector", "camera", "broker"],
        action="append",
        help="check the configuration and this; may be repeated",
    )
    check.add_argument(
        "--here",
        action="store_true",
        help="as you see it; without, root's check is done as the installed service sees it",
    )


def _add_replay(commands: Any) -> None:
    text = "Judge a clip or a folder of pictures without a broker."
    replay = _command(
        commands,
        "replay",
        _replay,
        text,
        "tensormask replay minute.mp4",
        "tensormask replay minute.mp4 --show seen.mp4",
        "tensormask replay pictures --fps 5 --json",
    )
    replay.add_argument(
        "source",
        metavar="CLIP|FOLDER",
        help="a folder's pictures are taken for those of one camera, one after the other by name",
    )
    _add_json(replay, "the documents as they would be published, one a line, then a summary")
    replay.add_argument(
        "--show",
        type=Path,
        metavar="FILE.mp4",
        help="write a clip with what was seen drawn in, heads pixelated as on the page",
    )
    replay.add_argument(
        "--fps", type=_rate, help="the rate that a folder's pictures stand for, up to 120"
    )
    _add_judging(replay)


def _add_watch(commands: Any) -> None:
    watch = _command(
        commands,
        "watch",
        _watch,
        "Subscribe and show devices and alerts as they come: live on a terminal, else as lines.",
        "tensormask watch --broker broker.example",
        "sudo tensormask watch --device door-1",
        "tensormask watch --json | jq .topic",
    )
    _add_config(watch)
    _add_json(watch, "one JSON document a line, for each message: its topic and what it says")
    watch.add_argument(
        "--device", type=_device, default="+", metavar="NAME", help="this one (default +: all)"
    )
    watch.add_argument("--broker", metavar="HOST[:PORT]", help="instead of a configuration file")


def _add_outbox(commands: Any) -> None:
    text = "List, export and drop what waits for the broker or was refused."
    outbox = _command(commands, "outbox", _outbox_list, text, "sudo tensormask outbox")
    _add_config(outbox)
    _add_json(outbox, "one JSON document a line")
    actions = outbox.add_subparsers(title="actions", metavar="ACTION")
    text = (
        "What waits, and what the broker has refused and why. After a crash, what it had "
        "acknowledged in the ten minutes before is among what waits: it is sent again."
    )
    example = "sudo tensormask outbox list --json"
    listing = _command(actions, "list", _outbox_list, text, example)
    _add_json(listing, "one JSON document a line")
    text = "The same with the documents, as JSON lines."
    _command(actions, "export", _outbox_export, text, "sudo tensormask outbox export >waiting")
    text = "Delete for ever, with the service stopped."
    dropping = _command(
        actions,
        "drop",
        _outbox_drop,
        text,
        "sudo tensormask outbox drop --refused",
        "sudo tensormask outbox drop 4711 4712 --yes",
    )
    which = dropping.add_mutually_exclusive_group(required=True)
    which.add_argument("sequence", nargs="*", type=int, default=[], metavar="SEQUENCE")
    which.add_argument("--topic", help="all documents of this topic")
    which.add_argument("--refused", action="store_true", help="all that the broker has refused")
    which.add_argument("--all", action="store_true", help="all that wait or were refused")
    dropping.add_argument("--yes", action="store_true", help="do not ask")
    _add_configs(actions)


def _add_forget(commands: Any) -> None:
    text = "Clear what the broker retains of this device, which is taken down; stop it first."
    _add_config(_command(commands, "forget", _forget, text, "sudo tensormask forget"))


def _add_models(commands: Any) -> None:
    text = "List, fetch and show models."
    models = _command(commands, "models", _models_list, text, "tensormask models")
    _add_json(models)
    actions = models.add_subparsers(title="actions", metavar="ACTION")
    text = "The detectors and the bundle that can be used."
    _add_json(_command(actions, "list", _models_list, text, "tensormask models list --json"))
    text = "Download a detector's weights, checked by sha256."
    fetch = _command(actions, "fetch", _models_fetch, text, "sudo tensormask models fetch yunet")
    fetch.add_argument("name", choices=sorted(detectors.DETECTORS))
    text = "Put a bundle or detector of an archive beside the others, once it has been tried."
    installing = _command(
        actions,
        "install",
        _models_install,
        text,
        "sudo tensormask models install https://models.example/tensormask-4.zip --sha256 DIGEST",
    )
    installing.add_argument("source", metavar="FILE|URL")
    installing.add_argument("--sha256", required=True, help="of the archive", metavar="DIGEST")
    _add_config(installing)
    text = "Use an installed model. One that does worse than the former is undone by the device."
    example = "sudo tensormask models activate tensormask-4"
    activating = _command(actions, "activate", _models_activate, text, example)
    activating.add_argument("name", metavar="MODEL")
    _add_again(activating)
    _add_config(activating)
    text = "Go back at once to the model that was used before."
    example = "sudo tensormask models rollback bundle"
    back = _command(actions, "rollback", _models_rollback, text, example)
    back.add_argument("kind", choices=["bundle", "detector"])
    _add_config(back)
    text = "A bundle's description, a JSON document."
    show = _command(actions, "show", _models_show, text, "tensormask models show")
    show.add_argument("bundle", nargs="?", default="", metavar="FOLDER")


def _add_release(commands: Any) -> None:
    text = "What is installed and on trial; from one release to another, and back."
    release = _command(commands, "release", _release_show, text, "tensormask release --json")
    _add_config(release)
    _add_json(release)
    actions = release.add_subparsers(title="actions", metavar="ACTION")
    text = "Use another release. One that does worse than the former is undone by the device."
    example = "sudo tensormask release activate 0.3.0-1a2b3c4d"
    activating = _command(actions, "activate", _release_activate, text, example)
    activating.add_argument("name", metavar="RELEASE")
    _add_again(activating)
    text = "Go back at once to the release that ran before."
    example = "sudo tensormask release rollback"
    _command(actions, "rollback", _release_rollback, text, example)
    text = "Wait for the end of the trial, and say how far it is; exit 1 where it was undone."
    waiting = _command(actions, "wait", _release_wait, text, "sudo tensormask release wait")
    waiting.add_argument(
        "name", nargs="?", default="", metavar="NAME", help="exit 1 unless this is in use then"
    )
    text = "Judge a clip of drawn people: what is asked of a release or model before it is used."
    proving = _command(actions, "prove", _release_prove, text, "tensormask release prove")
    proving.add_argument(
        "--models", metavar="FOLDER", help="with links bundle and detector to those to be used"
    )
    text, example = "Look after the trial: what its unit runs.", "sudo tensormask release watch"
    _command(actions, "watch", _release_watch, text, example)
    text = "Count a start of the machine: it runs that first."
    _command(actions, "count", _release_count, text, "sudo tensormask release count")
    _add_configs(actions)


def _add_bench(commands: Any) -> None:
    bench = _command(
        commands,
        "bench",
        _bench,
        "Measure speed, processor time, memory and start. Lists are separated by commas, and every "
        "combination is measured; without --detector, each detector that is here.",
        "tensormask bench minute.mp4",
        "tensormask bench minute.mp4 --faces 0,1,4 --threads 1,2 --json",
    )
    bench.add_argument("source", metavar="CLIP|FOLDER")
    bench.add_argument(
        "--faces",
        type=_people,
        default=[],
        metavar="N,…",
        help="measure on scenes with so many people, whose faces are cut out of the source",
    )
    bench.add_argument(
        "--sizes",
        type=_sizes,
        default=[(640, 480)],
        metavar="WxH,…",
        help="of these scenes (default 640x480)",
    )
    bench.add_argument(
        "--threads",
        type=_threads,
        default=[2],
        metavar="N,…",
        help="of detector and classifier (default 2)",
    )
    bench.add_argument("--frames", type=_count, default=300, help="of each (default 300)")
    bench.add_argument(
        "--every-frame", action="store_true", help="scan every frame and judge every face in it"
    )
    _add_json(bench)
    _add_judging(bench)


def _add_manual(commands: Any) -> None:
    text = "Print the script that completes the commands in this shell."
    example = "tensormask completion bash >~/.tensormask-completion"
    completing = _command(commands, "completion", _completion, text, example)
    completing.add_argument("shell", choices=["bash", "zsh"])
    text = "Print the manual page, in the language of man(7)."
    _command(commands, "man", _man, text, "tensormask man | man -l -")


def _add_config(parser: argparse.ArgumentParser, default: Path | str = DEFAULT_PATH) -> None:
    parser.add_argument(
        "--config", type=Path, default=default, help=f"default {DEFAULT_PATH}", metavar="FILE"
    )


def _add_configs(actions: Any) -> None:
    """Take --config behind each action too, and not undo what was given before it."""
    for action in actions.choices.values():
        _add_config(action, argparse.SUPPRESS)


def _add_json(parser: argparse.ArgumentParser, text: str = "one JSON document") -> None:
    """Without a default here, or an action's would undo what was given before it."""
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help=f"print {text}"
    )


def _add_again(parser: argparse.ArgumentParser) -> None:
    text = "although it was tried before, and undone"
    parser.add_argument("--again", action="store_true", help=text)


def _add_judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        help="judge as this file says (default: the defaults)",
        metavar="FILE",
    )
    parser.add_argument("--detector", choices=detectors.NAMES)
    parser.add_argument("--detector-model", metavar="FILE", help="the detector's weights")
    parser.add_argument("--bundle", metavar="FOLDER", help="the mask classifier's bundle")


def _add_doctor(commands: Any) -> None:
    text = "Find what keeps this box from working well, each with what mends it; exit 1: a fault."
    doctor = _command(commands, "doctor", _doctor, text, "sudo tensormask doctor")
    _add_config(doctor)
    _add_json(doctor)


def _add_status(commands: Any) -> None:
    text = "Ask the running service whether it is well; exit 1: it is not, 3: it does not run."
    status = _command(commands, "status", _status, text, "tensormask status --json")
    _add_config(status)
    _add_json(status)


def _run(options: argparse.Namespace) -> int:
    from edge.app.service import open_service
    from edge.host.in_use import in_use, written_at
    from edge.host.systemd import configure_logging

    written_ns = written_at(options.config)
    settings = load_settings(options.config)
    configure_logging(settings.log.level)
    logging.getLogger(__name__).info("tensormask %s, %s", version(), options.config)
    service = open_service(settings, in_use(settings, options.config, written_ns))
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored: a job in the background
        signal.signal(signal.SIGINT, lambda *_: service.stop())
    signal.signal(signal.SIGTERM, lambda *_: service.stop())
    service.run()
    return 0


def _check(options: argparse.Namespace) -> int:
    from edge.app.check import LABEL, PARTS, Checked, check, check_as_service, line
    from edge.app.sandbox import installed_unit
    from edge.host.status_file import read_telemetry
    from edge.release.unit import UNIT

    def say(checked: Checked) -> None:
        _say(json_text(checked) if options.json else fitted(line(checked), LABEL))

    chosen = [part for part in PARTS if not options.only or part in options.only]
    unit = None if options.here else installed_unit()
    if unit is not None:
        if not options.json:
            _say(f"as {UNIT} sees it; --here: as you do")
        json = ["--json"] if options.json else []
        return check_as_service(unit, options.config, chosen, say, json, read_telemetry())
    return check(options.config, chosen, say)


def _doctor(options: argparse.Namespace) -> int:
    from edge.doctor.doctor import columns, examine
    from edge.doctor.finding import exit_status, lines

    findings = []
    for finding in examine(options.config):
        findings.append(finding)
        if not options.json:
            for line in lines([finding], columns()):
                _say(colored(line) if takes_color(sys.stdout) else line)
    if options.json:
        _print_document(findings)
    return exit_status(findings)


def _status(options: argparse.Namespace) -> int:
    from edge.app.status import LABEL, ask_service, lines, status_of

    telemetry = ask_service()
    status = status_of(telemetry, options.config)
    if options.json:
        _print_document(status)
        return 0 if status.is_well else 1
    for line in lines(status):
        print(fitted(line, LABEL))
    return 0 if status.is_well else 1


def _say(line: str) -> None:
    """Print at once: another program's lines come after it."""
    print(line, flush=True)


def _print_document(document: object) -> None:
    """Print one that stands alone, over several lines."""
    print(json_text(document, spread=True))


def _replay(options: argparse.Namespace) -> int:
    from edge.app.progress import say
    from edge.app.replay import person_line, replay, summary_line, violation_line

    settings = _judging(options, options.source, options.fps)
    bundle = load_bundle(settings.classifier.bundle)
    summary = replay(
        settings,
        bundle,
        lambda violation, payload: say(
            written_anywhere(payload.decode()) if options.json else violation_line(violation)
        ),
        options.show,
    )
    if not options.json:
        for person in summary.people:
            print(person_line(person))
    print(summary_line(summary, as_json=options.json), flush=True)
    for said in filter(None, (summary.hint, summary.damage)):
        print(f"tensormask: {options.source}: {said}", file=sys.stderr)
    return 1 if summary.damage else 0


def _watch(options: argparse.Namespace) -> int:
    from edge.app.watch import JsonLines, Lines, is_for_live_view, watch

    mqtt = broker_at(options.broker) if options.broker else load_settings(options.config).mqtt
    if options.json or not is_for_live_view(sys.stdout):
        lines = JsonLines(sys.stdout) if options.json else Lines(sys.stdout)
        watch(mqtt, lines, device=options.device)
        return 0
    from edge.app.live import LiveScreen

    signal.signal(signal.SIGTERM, _interrupt)  # the terminal is given back
    with LiveScreen(sys.stdout) as screen:
        watch(mqtt, screen, device=options.device)
    return 0


def _forget(options: argparse.Namespace) -> int:
    from edge.app.forget import forget
    from edge.host.status_file import read_telemetry

    for topic in forget(load_settings(options.config), read_telemetry()):
        print(f"cleared {topic}")
    return 0


def _outbox_list(options: argparse.Namespace) -> int:
    from edge.app.outbox import entries, line

    now = SYSTEM_CLOCK.utc()
    for entry in entries(load_settings(options.config).outbox.file, _delivered(options)):
        print(json_text(entry) if options.json else line(entry, now))
    return 0


def _delivered(options: argparse.Namespace) -> tuple[int, ...]:
    """Return what the service that runs with these settings has delivered of its outbox."""
    from edge.host.status_file import read_telemetry

    telemetry = read_telemetry() if options.config == DEFAULT_PATH else None
    return () if telemetry is None else telemetry.outbox.delivered


def _outbox_export(options: argparse.Namespace) -> int:
    from edge.app.outbox import entries

    file = load_settings(options.config).outbox.file
    for entry in entries(file, _delivered(options), with_payload=True):
        print(json_text(entry))
    return 0


def _outbox_drop(options: argparse.Namespace) -> int:
    from edge.app.outbox import Entry, dropped

    def is_wanted(entry: Entry) -> bool:
        return (
            options.all
            or (options.refused and entry.refused is not None)
            or entry.topic == options.topic
        )

    def agrees(count: int) -> bool:
        return options.yes or _answers_yes(f"drop {count} documents for ever?")

    file = load_settings(options.config).outbox.file
    count = dropped(file, is_wanted, agrees, options.sequence)
    print(f"{count} documents dropped")
    return 0


def _answers_yes(question: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} nobody is here to be asked; give --yes")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _models_list(options: argparse.Namespace) -> int:
    from edge.app.models import models_here

    models = models_here()
    if options.json:
        _print_document(models)
        return 0
    bundle = models.bundle
    print(f"bundle   {bundle.name} {bundle.version}, {bundle.folder or 'comes with the program'}")
    for each in models.detectors:
        print(f"{each.name:<8} {each.licence}, {each.origin}: {each.state}")
    return 0


def _models_fetch(options: argparse.Namespace) -> int:
    from edge.app.progress import progress

    print(weights.fetch(detectors.DETECTORS[options.name].weights, print, progress))
    return 0


def _models_install(options: argparse.Namespace) -> int:
    from edge.app.models import install_model

    slot, name = install_model(options.config, options.source, options.sha256)
    print(f"{slot} {name} is installed; use it: sudo tensormask models activate {name}")
    return 0


def _models_activate(options: argparse.Namespace) -> int:
    from edge.app.models import activate_model

    return _say_in_use(options, activate_model(options.config, options.name, again=options.again))


def _models_rollback(options: argparse.Namespace) -> int:
    from edge.app.releases import roll_back

    name = roll_back(options.config, Slot(options.kind))
    print(f"{name or f'the {options.kind} that comes with the release'} is in use")
    return 0


def _models_show(options: argparse.Namespace) -> int:
    card = load_bundle(options.bundle).card
    _print_document(card)
    return 0


def _release_show(options: argparse.Namespace) -> int:
    from edge.app.releases import installed, lines, window_s

    state = installed()
    if options.json:
        _print_document(state)
        return 0
    for line in lines(state, window_s(options.config)):
        print(line)
    return 0


def _release_activate(options: argparse.Namespace) -> int:
    from edge.app.releases import activate

    on_trial = activate(options.config, Slot.RELEASE, options.name, again=options.again)
    return _say_in_use(options, on_trial)


def _say_in_use(options: argparse.Namespace, on_trial: bool) -> int:
    from edge.app.releases import window_s

    trial = f"; on trial for {window_s(options.config):.0f} s" if on_trial else ""
    print(f"{options.name} is in use{trial}")
    return 0


def _release_rollback(options: argparse.Namespace) -> int:
    from edge.app.releases import roll_back

    print(f"{roll_back(options.config, Slot.RELEASE)} is in use")
    return 0


def _release_wait(options: argparse.Namespace) -> int:
    from edge.app.releases import window_s
    from edge.app.waiting import Progress, wait

    progress = Progress(window_s(options.config))
    try:
        said = wait(options.name, progress.show)
    finally:
        progress.close()
    print(said)
    return 0


def _release_prove(options: argparse.Namespace) -> int:
    from edge.app.proof import prove

    if options.models is not None:
        os.environ[PREFIX] = options.models
    print(prove())
    return 0


def _release_watch(options: argparse.Namespace) -> int:
    from edge.app.releases import watch
    from edge.host.systemd import configure_logging

    configure_logging("info")
    watch(options.config)
    return 0


def _release_count(options: argparse.Namespace) -> int:
    from edge.app.releases import count
    from edge.host.systemd import configure_logging

    configure_logging("info")
    count(options.config)
    return 0


def _bench(options: argparse.Namespace) -> int:
    from edge.app.bench import bench, report_lines, runs, without_cadence

    settings = _judging(options, options.source)
    if options.every_frame:
        settings = without_cadence(settings)
    replace = msgspec.structs.replace
    chosen = [settings.detector]
    if settings.detector.name == "auto" and not settings.detector.model:
        chosen = [replace(settings.detector, name=known.name) for known in detectors.here()]
    configurations = runs(
        settings,
        load_bundle(settings.classifier.bundle),
        chosen,
        options.threads,
        options.sizes,
        options.faces,
    )
    report = bench(settings, configurations, options.frames)
    if options.json:
        _print_document(report)
    else:
        print(report_lines(report))
    return 0


def _completion(options: argparse.Namespace) -> int:
    from edge.app.manual import completion

    print(completion(build_parser(), options.shell), end="")
    return 0


def _man(options: argparse.Namespace) -> int:
    from edge.app.manual import manual

    print(manual(build_parser(), version()), end="")
    return 0


def _whole(text: str, least: int, most: int) -> int:
    """Read a whole number. ArgumentTypeError, a line of argparse's own, for anything else."""
    if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
    return int(text)


def _count(text: str) -> int:
    return _whole(text, 1, 10_000_000)


def _people(text: str) -> list[int]:
    """Read `0,1,4`."""
    return [_whole(number, 0, 1000) for number in text.split(",")]


def _threads(text: str) -> list[int]:
    """Read `1,2`."""
    return [_whole(number, 1, 16) for number in text.split(",")]


def _sizes(text: str) -> list[tuple[int, int]]:
    """Read `640x480,1280x720`."""
    pairs = [size.partition("x") for size in text.split(",")]
    return [(_whole(width, 64, 4608), _whole(height, 64, 4608)) for width, _, height in pairs]


def _device(text: str) -> str:
    """Read a device's name, one level of a topic, or `+`."""
    if not re.fullmatch(r"\+|[A-Za-z0-9_.\-]{1,64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no device's name, nor + for all")
    return text


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 120:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0 and up to 120")
    return rate


def _judging(options: argparse.Namespace, source: str, fps: float | None = None) -> Settings:
    """Return the settings of a command that needs no broker: the file's or the defaults."""
    replace = msgspec.structs.replace
    if options.config:
        settings = load_settings(options.config)
    else:
        settings = Settings(mqtt=MqttSettings(host="localhost"))
    camera = replace(
        settings.camera,
        source=source,
        realtime=False,
        loop=False,
        fps=fps or settings.camera.fps,
    )
    detector: DetectorSettings = replace(
        settings.detector,
        name=options.detector or settings.detector.name,
        model=options.detector_model or settings.detector.model,
    )
    classifier = replace(settings.classifier, bundle=options.bundle or settings.classifier.bundle)
    return replace(settings, camera=camera, detector=detector, classifier=classifier)
