"""The public import path of `Claims`, the class of `request.auth`."""

from .jose.claims import Claims

__all__ = ["Claims"]
