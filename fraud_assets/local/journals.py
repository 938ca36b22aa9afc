"""Who writes into a journal."""

import os
import pwd


def user_name() -> str:
    """The operating system's name of whoever runs this; a container's user may have none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
