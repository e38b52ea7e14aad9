"""The certificate of a camera: nothing is sent to it before it is known whose it is."""

from __future__ import annotations

import hashlib
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime

from edge.address import StreamSource
from edge.capture.reach import connected, speaks
from edge.config import CameraSettings
from edge.errors import CameraError
from edge.secret import located

# From <openssl/x509_vfy.h>: SSLCertVerificationError.verify_code.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_ISSUER = {2, 18, 19, 20, 21}
_OTHER_NAME = {62, 64}
ANSWER_S = 1.0
"""How long a port that does not speak TLS may take to answer without."""
_TOO_OLD = ("PROTOCOL", "HANDSHAKE_FAILURE", "TOO_SMALL", "LEGACY", "NO_CIPHERS")
"""Parts of the reasons that OpenSSL has for a TLS, or keys, of long ago."""


class TrustedCamera:
    """Connects to a camera with TLS, if it is the one that the settings trust.

    Raises CameraError for an authority's file that is useless, and ConfigError for a credential
    that the unit does not have.
    """

    def __init__(self, stream: StreamSource, settings: CameraSettings) -> None:
        self._stream = stream
        self._settings = settings
        self._context = _context(settings)

    def connect(self, timeout_s: float) -> ssl.SSLSocket:
        """Return a connection on which nothing but TLS's handshake was sent, made in that time.

        Its own timeout is yet to be set. Raises CameraError, which says what is wrong and what to
        write.
        """
        name = self._stream.name
        try:
            peer = _handshake(self._context, self._stream, timeout_s)
        except ssl.SSLCertVerificationError as error:
            raise CameraError(f"{name}: {self._why_not_trusted(error, timeout_s)}") from error
        except OSError as error:
            raise CameraError(f"{name}: {_why_no_tls(self._stream, error, timeout_s)}") from error
        except CameraError as error:
            raise CameraError(f"{name}: {error}") from error
        shown = _fingerprint(peer)
        if self._settings.fingerprint and _digits(self._settings.fingerprint) != _digits(shown):
            peer.close()
            raise CameraError(
                f"{name}: its certificate is not that of [camera] fingerprint: somebody else "
                f"answers, or the camera has a new one, whose fingerprint is {shown}"
            )
        return peer

    def _why_not_trusted(self, error: ssl.SSLCertVerificationError, timeout_s: float) -> str:
        clock = f"this machine's clock, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        if error.verify_code == _NOT_YET_VALID:
            return f"its certificate is not valid yet by {clock}; is that right? see timedatectl"
        if error.verify_code == _EXPIRED:
            reason = f"its certificate has expired by {clock}"
        elif error.verify_code in _UNKNOWN_ISSUER:
            by = "this machine's certificate authorities"
            if self._settings.ca_file:
                by = "[camera] ca_file"
            reason = f"its certificate is not signed by {by}"
        elif error.verify_code in _OTHER_NAME:
            reason = f"its certificate is for another name than {self._stream.host}"
        else:
            reason = f"its certificate is not trusted: {error.verify_message}"
        return reason + _pinning(self._stream, timeout_s)


def _context(settings: CameraSettings) -> ssl.SSLContext:
    """Return what checks the certificate as far as TLS does; a fingerprint is compared later."""
    if settings.fingerprint or settings.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if settings.insecure:  # whatever such a camera speaks is better than nothing
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        return context
    authority = located(settings.ca_file, "[camera] ca_file") if settings.ca_file else None
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise CameraError(f"[camera] ca_file: {authority}: {error.strerror or error}") from error
    # The same with every Python: a self-signed certificate may be its own authority, and one that
    # lacks what newer standards want is taken, as those of most cameras do.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _handshake(context: ssl.SSLContext, stream: StreamSource, timeout_s: float) -> ssl.SSLSocket:
    deadline_s = time.monotonic() + timeout_s
    peer = connected(stream.host, stream.port, timeout_s)
    peer.settimeout(max(0.001, deadline_s - time.monotonic()))
    # As certificates have it: without a zone of IPv6, or the dot that may end a name.
    host = stream.host.partition("%")[0].rstrip(".")
    return context.wrap_socket(peer, server_hostname=host)  # which closes `peer` where it fails


def _fingerprint(peer: ssl.SSLSocket) -> str:
    return hashlib.sha256(peer.getpeercert(binary_form=True) or b"").digest().hex(":").upper()


def _digits(fingerprint: str) -> str:
    return fingerprint.replace(":", "").upper()


def _pinning(stream: StreamSource, timeout_s: float) -> str:
    """Return the end of a message that says how to trust the certificate nevertheless."""
    nobody = CameraSettings(fingerprint=64 * "0")
    with suppress(OSError, CameraError), _handshake(_context(nobody), stream, timeout_s) as peer:
        return (
            "; if it is the camera that answers, as its own page says, write in [camera] "
            f'fingerprint = "{_fingerprint(peer)}"'
        )
    return ""


def _why_no_tls(stream: StreamSource, error: OSError, timeout_s: float) -> str:
    if isinstance(error, ssl.SSLError) and any(each in (error.reason or "") for each in _TOO_OLD):
        return (
            f"its TLS is too old ({error.reason}); update the camera's firmware, or accept "
            "it with [camera] insecure = true"
        )
    with suppress(CameraError):
        for protocol in stream.protocols:
            if speaks(stream, protocol, ANSWER_S):
                return (
                    "this port does not speak TLS: write the port that does, or "
                    f"{stream.name_with(protocol)}, which sends picture and password "
                    "unencrypted"
                )
    if isinstance(error, TimeoutError):
        return f"no TLS handshake within {timeout_s:g} s; does this port speak TLS?"
    return "it does not speak TLS on this port; rtsp:// and http:// are without"
