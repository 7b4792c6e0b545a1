"""`python -m infra.offline` builds and checks what the tests of infra/terraform need, each once per version."""

import sys
from functools import partial

from infra.local import setup
from infra.offline import provider_build, schema, tofu, workspace


def main() -> None:
    """Build OpenTofu, then our provider with the schema of what infra/terraform uses."""
    say = partial(print, flush=True)
    try:
        tofu.binary(say)
        provider_build.mirror(schema.used(workspace.TERRAFORM), say)
    except setup.Missing as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main()
