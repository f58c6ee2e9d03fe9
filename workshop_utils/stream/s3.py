"""s3:// without s3fs: pyarrow, which comes with `datasets`, has an S3 client of its own, and fsspec can use it.

s3fs is taken where it is installed. It needs botocore, whose limits on other packages do not fit this project's
constraints; so the workshop does not ask for it.
"""

from __future__ import annotations

import importlib.util
from typing import Any

# How s3fs and pyarrow call the same thing, so that one set of storage options serves both.
NAMES = {"key": "access_key", "secret": "secret_key", "token": "session_token", "anon": "anonymous"}


def has_s3fs() -> bool:
    """Is s3fs installed?"""
    return importlib.util.find_spec("s3fs") is not None


def provide_s3(url: str) -> None:
    """See to it that fsspec can read s3:// URLs; does nothing for others, or where s3fs is installed.

    Args:
        url: what is going to be read.
    """
    if not url.startswith("s3://") or has_s3fs():
        return
    import fsspec
    from fsspec.implementations.arrow import ArrowFSWrapper

    if getattr(fsspec.registry.get("s3"), "by", "") == "pyarrow":
        return

    class S3ByPyarrow(ArrowFSWrapper):
        """fsspec's view of pyarrow.fs.S3FileSystem."""

        by = "pyarrow"
        protocol = "s3"

        def __init__(self, **options: Any) -> None:
            from pyarrow.fs import S3FileSystem

            try:
                service = S3FileSystem(**pyarrow_options(options))
            except TypeError as error:
                raise ValueError(
                    f"pyarrow, which reads s3:// here, does not know a storage option ({error}): use key, secret, "
                    "token, anon, endpoint_url or what pyarrow.fs.S3FileSystem accepts, or install s3fs"
                ) from error
            super().__init__(service)

    fsspec.register_implementation("s3", S3ByPyarrow, clobber=True)
    print("s3:// is read by pyarrow, since s3fs is not installed")


def pyarrow_options(options: dict[str, Any]) -> dict[str, Any]:
    """Storage options as s3fs or pyarrow name them, in pyarrow's names.

    Args:
        options: key, secret, token, anon, endpoint_url, client_kwargs, or what pyarrow.fs.S3FileSystem accepts.

    """
    options = dict(options)
    nested = options.pop("client_kwargs", {})
    endpoint = options.pop("endpoint_url", None) or nested.get("endpoint_url")
    found = {NAMES.get(name, name): value for name, value in options.items()}
    if "region_name" in nested:
        found.setdefault("region", nested["region_name"])
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        found |= {"endpoint_override": host, "scheme": scheme or "https"}
    # fsspec's own switches say nothing about the service
    for name in ("use_listings_cache", "listings_expiry_time", "max_paths", "skip_instance_cache", "asynchronous"):
        found.pop(name, None)
    return found
