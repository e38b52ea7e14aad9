"""What the service itself can say of the box while it runs: `health` names these."""

from __future__ import annotations

from edge.conditions.codes import Code, ConditionKind, Severity

_UNWATCHED = "this time does not count as watched"
_KEPT = "nothing is lost: alerts wait on the device"
_RENEW = "renew it ({how}), then: sudo systemctl restart tensormask"
CORRECT_SOURCE = "correct [camera] source, then: sudo systemctl restart tensormask"
WHOSE_PORT = "sudo ss -ltnp 'sport = :{port}'; another [page] port"
DOCTOR = "sudo tensormask doctor says more"
COOLER = "give the box air, shade or a heat sink"
BETTER_POWER = "use the official power supply and a short cable"
WHO_TAKES_MEMORY = "see who takes it: ps -eo rss,comm --sort=-rss | head"
SET_CLOCK = "timedatectl; sudo timedatectl set-ntp true"

MAKE_ROOM = "make room, or replace the card: df -h; sudo dmesg | tail"

RUNNING = {
    Code.CAMERA_STARTING: ConditionKind(
        Severity.HINT, "waiting for the camera's first picture", short="camera starts"
    ),
    Code.CAMERA_LOST: ConditionKind(
        Severity.FAULT,
        "the camera gives no picture{why}",
        f"check its power and its cable; it is tried again by itself; {DOCTOR}",
        "no camera",
    ),
    Code.CAMERA_REFUSED: ConditionKind(
        Severity.FAULT,
        "the camera gives no picture: {why}",
        f"{CORRECT_SOURCE}; {DOCTOR}",
        "camera refuses",
    ),
    Code.CAMERA_SLOW: ConditionKind(
        Severity.FAULT,
        "the camera gives too few pictures to follow people{rate}",
        "give it more light or a better network, or a smaller [camera] width_px",
        "too few frames",
    ),
    Code.CAMERA_TURNED: ConditionKind(
        Severity.FAULT,
        "the camera is mounted upside down or on its side: nobody is judged",
        "mount it upright, or set [camera] rotation_deg = {rotation_deg}, then: "
        "sudo systemctl restart tensormask",
        "camera turned",
    ),
    Code.FACE_LIFELESS: ConditionKind(
        Severity.HINT,
        "a face has not moved for 30 s or longer, a poster or a screen: nobody is reported there",
        "exclude the area: on the page under Set up, or [detector] excluded = [{place}]",
        "poster",
    ),
    Code.VIEW_DARK: ConditionKind(
        Severity.FAULT,
        "too dark: nobody can be seen",
        f"switch on a light, clean the lens, take the cap off; {_UNWATCHED}",
        "dark",
    ),
    Code.VIEW_BLINDED: ConditionKind(
        Severity.FAULT,
        "the camera is blinded: nobody can be seen",
        f"turn it away from the window or the lamp; {_UNWATCHED}",
        "blinded",
    ),
    Code.VIEW_COVERED: ConditionKind(
        Severity.FAULT,
        "the camera is covered, or out of focus altogether",
        "uncover and clean the lens; turn the lens until the page ([page]) calls it sharp; "
        f"{_UNWATCHED}",
        "covered",
    ),
    Code.JUDGING_STUCK: ConditionKind(
        Severity.FAULT,
        "its pictures are not judged: the program does not get on with them",
        f"systemd restarts the service by itself within a minute; {DOCTOR}",
        "stuck",
    ),
    Code.SIGHT_DEGRADED: ConditionKind(
        Severity.FAULT,
        "people are seen worse than is normal here: {trouble}",
        "{fix}; then: sudo tensormask sight now",
        "sees worse",
    ),
    Code.PAUSED: ConditionKind(
        Severity.HINT,
        "paused: judging goes on by itself in {left}",
        "the command resume ends the pause at once, and so does: sudo systemctl restart tensormask",
        "paused",
        past="judging was paused by command",
    ),
    Code.RULE_OFF: ConditionKind(
        Severity.HINT,
        "the mask rule is off{since}{by}: people are counted, and nobody is reported",
        "by season: [calendar] seasons; else: sudo tensormask rule on",
        "rule off",
    ),
    Code.BROKER_CONNECTING: ConditionKind(Severity.HINT, "not connected to the broker yet"),
    Code.BROKER_AWAY: ConditionKind(
        Severity.FAULT,
        "{trouble}",
        f"{_KEPT}; {DOCTOR}",
        past="the broker could not be reached",
    ),
    Code.BROKER_REFUSED: ConditionKind(
        Severity.FAULT,
        "{refusal}",
        _KEPT,
        "broker rejects",
        past="the broker rejected the device",
    ),
    Code.BROKER_LIMITED: ConditionKind(
        Severity.HINT,
        "{limit}",
        "docs/mqtt.md, Brokers that take less",
        past="the broker takes less than the device needs",
    ),
    Code.MESSAGES_QUEUED: ConditionKind(
        Severity.HINT,
        "{queued}, the oldest for {oldest}",
        "nothing is lost: a broker that is slow, or was away, catches up by itself",
        "messages queued",
        past="messages waited for the broker",
    ),
    Code.MESSAGES_REJECTED: ConditionKind(
        Severity.HINT,
        "the broker has rejected {messages}",
        "see which, and why: sudo tensormask outbox list",
        "messages rejected",
        past="the broker has rejected messages",
    ),
    Code.DISK_UNWRITABLE: ConditionKind(
        Severity.FAULT,
        "the disk is full or broken: messages are kept in memory only",
        MAKE_ROOM,
        "disk refuses",
    ),
    Code.TOO_HOT: ConditionKind(
        Severity.HINT,
        "the box is too hot: only {max_fps} pictures a second are judged",
        COOLER,
        "hot",
    ),
    Code.POWER_WEAK: ConditionKind(
        Severity.HINT,
        "the power supply is too weak: only {max_fps} pictures a second are judged",
        BETTER_POWER,
        "weak power",
    ),
    Code.MEMORY_SHORT: ConditionKind(
        Severity.HINT,
        "memory is short: only {max_fps} pictures a second are judged",
        WHO_TAKES_MEMORY,
        "low memory",
    ),
    Code.UNDER_VOLTAGE: ConditionKind(
        Severity.HINT,
        "under-voltage since boot: the power supply is too weak",
        BETTER_POWER,
    ),
    Code.CERTIFICATE_EXPIRING: ConditionKind(
        Severity.HINT,
        "the certificate {key} ends on {ends_at:%Y-%m-%d}",
        _RENEW,
        "certificate ends",
        past="a certificate was about to end",
    ),
    Code.CERTIFICATE_EXPIRED: ConditionKind(
        Severity.FAULT,
        "the certificate {key} ended on {ends_at:%Y-%m-%d}",
        _RENEW,
        "certificate ended",
        past="a certificate had ended",
    ),
    Code.CLOCK_UNSYNCHRONISED: ConditionKind(
        Severity.HINT,
        "the clock is not set from the network: the times in messages may be wrong",
        SET_CLOCK,
    ),
    Code.PAGE_DOWN: ConditionKind(
        Severity.FAULT,
        "the page is not served: {trouble}",
        f"{WHOSE_PORT}; journalctl -u tensormask -u tensormask-page -n 30",
        "no page",
    ),
    Code.NOTIFY_FAILING: ConditionKind(
        Severity.FAULT,
        "notifications to {name}: {trouble}",
        "{kept}try it: sudo tensormask notify test {name}",
        "notify fails",
        past="notifications did not arrive",
    ),
    Code.SIGNAL_FAILING: ConditionKind(
        Severity.FAULT,
        "the lamps, the sound or the relay at the door do not work: {trouble}",
        "journalctl -u tensormask -u tensormask-signal -n 30; docs/signal.md, "
        "When something does not work",
        "no lamps",
    ),
    Code.HISTORY_FAILING: ConditionKind(
        Severity.FAULT,
        "the history is not written: {trouble}",
        "{fix}",
        "no history",
    ),
    Code.ON_TRIAL: ConditionKind(
        Severity.HINT,
        "on trial: {what}",
        "nothing needs to be done: where it does worse, the device goes back by itself",
        "on trial",
        past="a release or model was on trial",
    ),
}
