"""A network camera: H.264 over RTSP, with a password. Run by Debian's Python, which has GStreamer.

    rtsp.py ADDRESS FOLDER WIDTH HEIGHT FPS USER PASSWORD [CERTIFICATE KEY]

With a certificate it speaks TLS. It plays, over and over, the I420 frames of the file in FOLDER
that the text file `scene` there names; changing that changes what the camera sees.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

PIPELINE = (
    "( appsrc name=scene is-live=true do-timestamp=true format=time "
    "caps=video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 "
    "! x264enc speed-preset=ultrafast bitrate=3000 key-int-max={fps} threads=1 bframes=0 "
    "rc-lookahead=0 sync-lookahead=0 "
    "! video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


def main() -> None:
    address, folder, width, height, fps, user, password, *identity = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address(address)
    server.set_service("8554")
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(PIPELINE.format(width=width, height=height, fps=fps))
    factory.set_shared(True)
    factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
    size = int(width) * int(height) * 3 // 2
    factory.connect("media-configure", play, Path(folder), size, int(fps))
    guard(server, factory, user, password, identity)
    server.get_mount_points().add_factory("/door", factory)
    server.attach(None)
    print("ready", flush=True)  # noqa: T201 - its parent waits for that
    GLib.MainLoop().run()


def play(_: Any, media: Any, folder: Path, size: int, fps: int) -> None:
    """Feed the frames of the scene at their pace, for as long as somebody looks."""
    source = media.get_element().get_child_by_name("scene")
    frames = count()

    def push() -> bool:
        scene = (folder / (folder / "scene").read_text().strip()).open("rb")
        with scene:
            number = next(frames) % (scene.seek(0, 2) // size)
            scene.seek(number * size)
            pushed = source.emit("push-buffer", Gst.Buffer.new_wrapped(scene.read(size)))
        return bool(pushed == Gst.FlowReturn.OK)

    timer = GLib.timeout_add(1000 // fps, push)
    media.connect("unprepared", lambda _: GLib.source_remove(timer))


def guard(server: Any, factory: Any, user: str, password: str, identity: list[str]) -> None:
    """Let nobody in without the password, and without TLS where there is an identity for it."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", user)
    auth = GstRtspServer.RTSPAuth.new()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    if identity:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(*identity))
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(user, permission, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main()
