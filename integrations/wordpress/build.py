"""Make the installable zip of the plug-in: ``python build.py OUT.zip``.

The zip is the same for the same sources. The PHP client goes into it.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENT = HERE.parent / "clients" / "php" / "src"
EPOCH = (2026, 1, 1, 0, 0, 0)


def build(target: Path) -> None:
    """Write the zip. Raises OSError."""
    files = {
        f"photoward/{path.relative_to(HERE / 'photoward')}": path
        for path in (HERE / "photoward").rglob("*")
        if path.is_file()
    }
    files |= {f"photoward/client/{path.name}": path for path in CLIENT.glob("*.php")}
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), path.read_bytes())


if __name__ == "__main__":
    build(Path(sys.argv[1]))
