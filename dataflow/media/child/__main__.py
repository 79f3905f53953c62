"""`python -m dataflow.media.child`: reads one request, confines itself, does the work, answers, ends."""

import sys
from importlib import import_module

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.child.channel import Channel
from dataflow.media.child.confinement import confine, die_with_parent

TASKS = {
    "probe": "dataflow.media.child.describe",
    "decode": "dataflow.media.child.decode",
    "mux": "dataflow.media.child.mux",
    "excerpt": "dataflow.media.child.excerpt",
    "poster": "dataflow.media.child.poster",
}
"""Modules with a `run(request, channel)`; imported by name once the limits hold, as PyAV comes with them."""


def main() -> int:
    """Serve one request."""
    die_with_parent(int(sys.argv[1]))
    channel = Channel.over_standard_streams()
    request = channel.receive_request()
    confine(request["confinement"])
    try:
        channel.send_reply(import_module(TASKS[request["task"]]).run(request, channel))
    except DubflowError as error:
        channel.send_error(error)
    except MemoryError:
        channel.send_error(DubflowError(ErrorCode.MEDIA_LIMIT, "reading the file needs more memory than is allowed"))
    except BrokenPipeError:
        return 1
    # The boundary of the process: whatever else goes wrong becomes a typed answer instead of a traceback.
    except Exception as error:  # noqa: BLE001 - see the line above
        detail = f"the media process failed: {type(error).__name__}: {error}"
        channel.send_error(DubflowError(ErrorCode.INTERNAL, detail))
    return 0


if __name__ == "__main__":
    sys.exit(main())
