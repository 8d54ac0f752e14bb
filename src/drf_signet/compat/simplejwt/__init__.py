"""The public API of djangorestframework-simplejwt 5.5, on top of this package.

As the first of the apps that know the old name, it makes `rest_framework_simplejwt` and all of its
submodules these modules: see `drf_signet.compat.simplejwt.alias`.
"""

from . import alias

#: The release whose API this is.
__version__ = "5.5.1"

alias.install()
