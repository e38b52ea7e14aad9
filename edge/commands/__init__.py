"""What a person types: of each command one module, with its arguments, its help and what it does.

A module has `add_arguments`, which gets the parser of the command and says there what is run. It is
loaded when its command is given, so that none waits for the packages of another.
"""

COMMANDS = {
    "run": "Watch and publish, until stopped: what the service runs.",
    "check": (
        "Check configuration, model, detector, camera and broker; exit 78 when the configuration "
        "is wrong, 65 when a model is, 72 when a package is missing, 1 when the camera or the "
        "broker cannot be reached."
    ),
    "doctor": ("Find what keeps this box from working well, each with its fix; exit 1: a fault."),
    "status": "Ask the service whether it is well; exit 1: it is not, 3: it is not running.",
    "report": (
        "Say what happened in a day, a shift, a week or a month: people, rates, alerts, and what "
        "was not watched; as a table, JSON, CSV, HTML or PDF."
    ),
    "replay": "Judge a clip or a folder of pictures without a broker.",
    "watch": (
        "Subscribe and show devices and alerts as they come: live on a terminal, else as lines."
    ),
    "alerts": "List alerts, and what was done about each.",
    "acknowledge": "Write down why somebody had no mask, and what was done about it.",
    "rule": "Switch the mask rule on and off, and list its changes.",
    "outbox": "List, export and drop messages that are queued or were rejected.",
    "notify": "List the targets of notifications, and send a test to each.",
    "history": "List what the box keeps and for how long, and delete what was recorded.",
    "sight": (
        "What size of drawn heads the service sees in its pictures; have it proved now. Exit 1: "
        "worse than is normal here."
    ),
    "forget": (
        "Clear the broker's retained messages of this device, which is taken down; stop the "
        "service first."
    ),
    "models": "List, fetch and show models.",
    "release": "Show what is installed and on trial; switch to another release, and back.",
    "qualify": (
        "Measure how well this door judges, by walking past as the program asks; exit 1: it does "
        "not meet the criteria, or the walks are not all done."
    ),
    "password": "Print the hash of a password for the page, to be kept in its password_file.",
    "bench": (
        "Measure speed, processor time, memory and start. Lists are separated by commas, and every "
        "combination is measured; without --detector, each detector that is installed."
    ),
    "completion": "Print the script that completes the commands in this shell.",
    "man": "Print the manual page, in the language of man(7).",
}
"""Each command, and what it is for."""
