"""Every deliberate error, named by what the operator does next.

A message says what is wrong, where, and what to do. Anything else that is raised is a bug: it ends
the process and systemd starts it again.
"""


class TensorMaskError(Exception):
    """The base of every deliberate error; its text is one line for the operator."""

    exit_status = 1


class ConfigError(TensorMaskError):
    """Fix the configuration: exit 78 (`EX_CONFIG`), which systemd does not restart."""

    exit_status = 78


class NotAllowedError(ConfigError):
    """Run the same command with sudo, which the command line adds to the text."""


class ModelError(TensorMaskError):
    """Redeploy the model: its files are missing, damaged or not what this program runs.

    Exit 65 (`EX_DATAERR`): no restart fixes a file.
    """

    exit_status = 65


class MissingPackageError(TensorMaskError):
    """Install a package: the message names the `apt` or `pip` command. Exit 72 (`EX_OSFILE`)."""

    exit_status = 72


class CameraError(TensorMaskError):
    """Wait, the service tries again: the camera is busy, gone, or gives no frames."""


class CameraRefusalError(CameraError):
    """Correct `[camera] source`: a network camera is there, and refuses what that asks for."""


class CameraLoginError(CameraRefusalError):
    """Write the right user and password: the camera refuses them. Asked again too often, it locks
    the account."""


class CameraLostError(CameraError):
    """Wait, the system starts the program again: this process cannot get the camera back. Exit 69.

    `EX_UNAVAILABLE`; this process has had pictures.
    """

    exit_status = 69


class CameraAbsentError(CameraLostError):
    """Look at the camera: this process has never had a picture, a restart did not help. Exit 71.

    `EX_OSERR`; where the owner allows it, the system reboots.
    """

    exit_status = 71


class BrokerError(TensorMaskError):
    """Wait, the service tries again: the broker rejects the connection or cannot be reached."""


class OutboxError(TensorMaskError):
    """Make room or repair the disk: an event could not be written to the outbox."""


class PictureError(TensorMaskError):
    """Choose another file: this one is no picture or clip that can be read."""
