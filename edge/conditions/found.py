"""What only a look at the box finds: the doctor, `status` and `check` tell these."""

from __future__ import annotations

from edge.conditions.codes import Code, ConditionKind, Severity
from edge.conditions.running import BETTER_POWER, COOLER, SET_CLOCK, WHO_TAKES_MEMORY, WHOSE_PORT

_COOLER = f"{COOLER}; from 75 C fewer frames are judged"
_MAKE_ROOM = "sudo apt-get clean; sudo journalctl --vacuum-size=100M; df -h"
_INSTALL = "sudo deploy/install.sh"
_LOG = "journalctl -u tensormask -n 30"

FOUND = {
    Code.AREA_DAMAGED: ConditionKind(
        Severity.FAULT,
        "the area that was drawn cannot be read: the whole picture is watched",
        "draw it again on the page, under Set up",
    ),
    Code.ZONES_DAMAGED: ConditionKind(
        Severity.FAULT,
        "the zones that were drawn cannot be read: the same rules hold in the whole picture",
        "draw them again on the page, under Set up",
    ),
    Code.JUST_STARTED: ConditionKind(
        Severity.HINT,
        "started {ago} ago: its frame rate, whether the picture is of use and whether the page "
        "answers are known after {known_after}",
        "ask again then",
    ),
    Code.SETTINGS_CHANGED: ConditionKind(
        Severity.HINT,
        "{file} was changed after the service had started",
        "use it: sudo tensormask check && sudo systemctl restart tensormask",
    ),
    Code.SETTINGS_MISSING: ConditionKind(
        Severity.HINT, "{file} is missing: the service cannot be started again without it"
    ),
    Code.SETTINGS_OTHER: ConditionKind(
        Severity.HINT, "the service was started with {used}, not with {file}"
    ),
    Code.SETTINGS_UNREADABLE: ConditionKind(
        Severity.UNKNOWN,
        "{file} cannot be read: {why}",
        "see whether it was changed since the start: sudo tensormask status",
    ),
    Code.SETTINGS_REFUSED: ConditionKind(
        Severity.FAULT,
        "{why}",
        "sudoedit {file}; sudo tensormask check --only configuration",
    ),
    Code.PACKAGES_WRONG: ConditionKind(
        Severity.FAULT,
        "{why}",
        _INSTALL,
    ),
    Code.MODEL_UNUSABLE: ConditionKind(
        Severity.FAULT,
        "{why}",
        "sudo tensormask models rollback {slot}, or sudo deploy/install.sh",
    ),
    Code.SERVICE_MASKED: ConditionKind(
        Severity.FAULT,
        "masked: nothing may start it",
        "sudo systemctl unmask tensormask; sudo systemctl enable --now tensormask",
    ),
    Code.SERVICE_ABSENT: ConditionKind(
        Severity.HINT,
        "not installed: nothing starts it",
        _INSTALL,
    ),
    Code.SERVICE_FAILED: ConditionKind(
        Severity.FAULT,
        "{why}",
        f"{_LOG}; sudo systemctl restart tensormask",
    ),
    Code.SERVICE_STOPPED: ConditionKind(
        Severity.FAULT,
        "stopped",
        "sudo systemctl start tensormask",
    ),
    Code.SERVICE_CHANGING: ConditionKind(
        Severity.HINT,
        "being started, stopped or restarted",
        "look again in some seconds",
    ),
    Code.SERVICE_RESTARTED: ConditionKind(
        Severity.HINT,
        "restarted by systemd {times} since it was started",
        _LOG,
    ),
    Code.CRASH_LOOP: ConditionKind(
        Severity.FAULT,
        "crash loop ({result}, {status})",
        _LOG,
    ),
    Code.UNIT_HIDDEN: ConditionKind(
        Severity.FAULT,
        "{path} hides the installed one",
        "sudo rm {path}; sudo systemctl daemon-reload; sudo systemctl restart tensormask",
    ),
    Code.UNIT_CHANGED: ConditionKind(
        Severity.HINT,
        "the unit has changed, and systemd has not read it yet",
        "sudo systemctl daemon-reload; sudo systemctl restart tensormask",
    ),
    Code.NOT_AT_BOOT: ConditionKind(
        Severity.HINT,
        "the service does not start when the box does",
        "sudo systemctl enable tensormask",
    ),
    Code.USER_MISSING: ConditionKind(
        Severity.FAULT,
        "there is no user {user}, whom the service runs as",
        _INSTALL,
    ),
    Code.USER_WITHOUT_VIDEO: ConditionKind(
        Severity.HINT,
        "{user} is not in the group video; the unit puts the service there",
        "sudo usermod -aG video {user}",
    ),
    Code.STATE_FOREIGN: ConditionKind(
        Severity.FAULT,
        "{path} does not belong to {user}: the service cannot write there",
        "sudo chown -R {user}: {folder}",
    ),
    Code.OUTBOX_QUARANTINED: ConditionKind(
        Severity.HINT,
        "a damaged outbox is quarantined: {name}",
        "what is in it can be saved: docs/operating.md, An outbox that is damaged",
    ),
    Code.HISTORY_QUARANTINED: ConditionKind(
        Severity.HINT,
        "a damaged history is quarantined: {name}; a new one was begun",
        "copy it if it is to be examined; it is deleted when it is as old as [history] days",
    ),
    Code.LEDGER_DAMAGED: ConditionKind(
        Severity.FAULT,
        "{why}",
    ),
    Code.RELEASE_UNDONE: ConditionKind(
        Severity.HINT,
        "the {slot} {name} was undone: {why}",
        "fix that, then: sudo tensormask release activate NAME --again",
    ),
    Code.LEFTOVERS: ConditionKind(
        Severity.HINT,
        "{path} is of an older version, and used by nothing",
        "sudo rm -r {path}",
    ),
    Code.CAMERA_UNUSABLE: ConditionKind(
        Severity.FAULT,
        "{why}",
        "check [camera] source",
    ),
    Code.OUT_OF_FOCUS: ConditionKind(
        Severity.FAULT,
        "out of focus (sharpness {sharpness})",
        "turn the lens; the page ([page]) shows the sharpness while you do",
    ),
    Code.BROKER_UNUSABLE: ConditionKind(
        Severity.FAULT,
        "{why}",
        "the broker's log says more",
    ),
    Code.MESSAGES_DROPPED: ConditionKind(
        Severity.HINT,
        "{messages} dropped: too many, or too old",
        "fix the connection; [outbox] max_rows",
    ),
    Code.PAGE_PORT_TAKEN: ConditionKind(
        Severity.FAULT,
        "its port, {port}, is another program's",
        WHOSE_PORT,
    ),
    Code.PASSWORD_IN_CLEAR: ConditionKind(
        Severity.HINT,
        "the password crosses the network without TLS",
        "[page] certificate_file and key_file, or a reverse proxy: docs/operating.md, The page",
    ),
    Code.CLOCK_WRONG: ConditionKind(
        Severity.FAULT,
        "{date}: certificates and times are wrong",
        f"connect a network with a time server; {SET_CLOCK}",
    ),
    Code.DISK_READ_ONLY: ConditionKind(
        Severity.FAULT,
        "{folder} is read-only: messages are kept in memory only",
        "dmesg | grep -i mmc; sudo mount -o remount,rw /; if it comes again, another card",
    ),
    Code.DISK_FULL: ConditionKind(
        Severity.FAULT,
        "{mb} MB left at {folder}",
        _MAKE_ROOM,
    ),
    Code.DISK_NEARLY_FULL: ConditionKind(
        Severity.HINT,
        "{mb} MB left at {folder}",
        _MAKE_ROOM,
    ),
    Code.DISK_WITHOUT_INODES: ConditionKind(
        Severity.FAULT,
        "no more files fit at {folder}",
        "df -i",
    ),
    Code.LITTLE_MEMORY: ConditionKind(
        Severity.HINT,
        "{mb} MB left",
        WHO_TAKES_MEMORY,
    ),
    Code.MEMORY_UNLIMITED: ConditionKind(
        Severity.HINT,
        "the kernel neither limits the service (MemoryMax=) nor keeps it out of swap",
        "add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt, and reboot",
    ),
    Code.OVERHEATED: ConditionKind(
        Severity.FAULT,
        "{degrees} C",
        _COOLER,
    ),
    Code.WARM: ConditionKind(
        Severity.HINT,
        "{degrees} C",
        _COOLER,
    ),
    Code.POWER_TOO_WEAK: ConditionKind(
        Severity.FAULT,
        "{why}",
        f"{BETTER_POWER}; vcgencmd get_throttled",
    ),
    Code.UNKNOWN: ConditionKind(
        Severity.UNKNOWN,
        "{why}",
    ),
}
