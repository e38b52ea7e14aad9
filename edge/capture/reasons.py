"""Why FFmpeg gets no video, for the person who has written the address."""

from __future__ import annotations

import errno

import av.error

from edge.errors import CameraError, CameraLoginError, CameraRefusalError

_UNREACHABLE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}


REFUSED = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)
"""Another user and password are wanted."""
LATE = (av.error.ExitError, av.error.TimeoutError)
"""Nothing came in time."""


def may_be_tls(error: av.error.FFmpegError | None, is_web: bool) -> bool:
    """Return whether a port that speaks TLS may have answered so to RTSP or HTTP in clear.

    What is no video over HTTP came in an answer, and TLS would have given none.
    """
    if isinstance(error, av.error.InvalidDataError):
        return not is_web
    return isinstance(
        error, av.error.EOFError | av.error.ConnectionResetError | av.error.HTTPBadRequestError
    )


def may_be_other_protocol(error: av.error.FFmpegError | None, is_web: bool) -> bool:
    """Return whether a port that speaks HTTP may have answered so to RTSP, or the reverse."""
    return may_be_tls(error, is_web) or isinstance(error, av.error.HTTPServerError)


def words_of(error: av.error.FFmpegError) -> str:
    """Return FFmpeg's own words, without the address."""
    if isinstance(error, LATE):
        return "nothing came in time"
    return error.strerror or type(error).__name__


def reason_of(error: av.error.FFmpegError) -> str:
    """Return what is wrong and what to do, without the address: it may hold a password.

    FFmpeg answers for RTSP with HTTP's errors too.
    """
    match error:
        case av.error.HTTPUnauthorizedError():
            return (
                "it rejects the user and password in the address, or needs them (401); if they are "
                "right, allow basic or digest MD5 logins in the camera: SHA-256 is not supported"
            )
        case av.error.HTTPForbiddenError():
            return "this user may not watch it (403); see the camera's own page"
        case av.error.HTTPNotFoundError():
            return "it has no video at this path (404); its manual has the right one"
        case av.error.HTTPServerError():
            return "it fails (5xx); too many may watch it already, or it needs a restart"
        case av.error.HTTPClientError():
            return "it rejects the request (4xx); is the path that of a video?"
        case av.error.InvalidDataError():
            return "it answers, but without a known video format; is the path that of a video?"
        case av.error.DecoderNotFoundError():
            return "there is no decoder for its video; set it to H.264"
        case av.error.EOFError():
            return "it disconnects; do scheme and port match?"
        case av.error.ArgumentError():
            return "it redirects to another address; give that https:// address itself"
        case _ if error.errno == errno.EIO:
            return "it gives no video; is the path that of a video, and does no page redirect it?"
        case _ if error.errno in _UNREACHABLE:
            return f"{error.strerror}; is the camera on, and the address right?"
        case _:
            return words_of(error)


def failure_of(name: str, error: av.error.FFmpegError) -> CameraError:
    """Return it as what is wrong with the camera `name`: a refusal is an error of its own."""
    text = f"{name}: {reason_of(error)}"
    if isinstance(error, REFUSED):
        return CameraLoginError(text)
    if isinstance(error, av.error.HTTPClientError):
        return CameraRefusalError(text)
    return CameraError(text)
