"""`python -m infra.inventory` writes docs/inventory.md anew."""

import sys

from infra import inventory
from infra.local import setup


def main() -> None:
    """Gather and write. Ends with a line of what is missing where a tool is."""
    try:
        text = inventory.render(inventory.gather())
    except setup.Missing as missing:
        sys.exit(str(missing))
    inventory.FILE.write_text(text, "utf-8")
    print(f"wrote {inventory.FILE}")


if __name__ == "__main__":
    main()
