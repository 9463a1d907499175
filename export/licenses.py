"""Licences of weights under their SPDX identifiers, however a model card writes them."""

from __future__ import annotations

# Those that model cards name most; the hub writes all of them in lower case.
_SPDX = (
    *("AFL-3.0", "AGPL-3.0", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause"),
    *("BSL-1.0", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"),
    *("CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0"),
    *("CC-BY-ND-4.0", "ECL-2.0", "EPL-2.0", "EUPL-1.2", "GPL-2.0", "GPL-3.0", "ISC", "LGPL-2.1"),
    *("LGPL-3.0", "MIT", "MPL-2.0", "MS-PL", "MulanPSL-2.0", "NCSA", "ODbL-1.0", "OFL-1.1"),
    *("PostgreSQL", "Unlicense", "WTFPL", "Zlib"),
)
_BY_LOWER_CASE = {name.lower(): name for name in _SPDX}
_OTHER_NAMES = {"odbl": "ODbL-1.0", "apache 2.0": "Apache-2.0"}


def spdx(name: str) -> str:
    """Return the SPDX identifier of a licence; a name without one stays as it is."""
    lower = name.strip().lower()
    return _BY_LOWER_CASE.get(lower) or _OTHER_NAMES.get(lower) or name
