"""Put on PYTHONPATH, this makes every Python process refuse what is not this machine: connections and name look-ups.

The tests of the lessons use it, to see that the pocket profile needs no network. What was refused is noted in the file
that REFUSED names, since a library may try and swallow the error. Where ONE_GPU is set, there is a GPU: one_gpu.py.
Where NO_WIDGETS is set, ipywidgets cannot be imported.
"""

import ipaddress
import os
import socket
import sys

if os.environ.get("NO_WIDGETS"):
    sys.modules["ipywidgets"] = None
if os.environ.get("ONE_GPU"):
    import one_gpu  # noqa: F401  beside this file

_LOCAL_NAMES = {None, "", "localhost", "localhost.localdomain"}


def _is_local(host) -> bool:
    host = host.decode() if isinstance(host, bytes) else host
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(host) -> None:
    if os.environ.get("REFUSED"):
        with open(os.environ["REFUSED"], "a") as file:
            file.write(f"{host!r}\n")
    raise OSError(f"refused by the test: {host!r} is not this machine")


def _guarded_address(method):
    """Guard a method of a socket whose last argument is the address."""

    def guarded(self, *args):
        address = args[-1]
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            _refuse(address[0])
        return method(self, *args)

    return guarded


def _guarded_name(function):
    """Guard a look-up whose first argument is the name."""

    def guarded(host, *args, **kwargs):
        if not _is_local(host):
            _refuse(host)
        return function(host, *args, **kwargs)

    return guarded


for _name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, _name, _guarded_address(getattr(socket.socket, _name)))
for _name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
    setattr(socket, _name, _guarded_name(getattr(socket, _name)))
