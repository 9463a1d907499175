"""Bills of materials, CycloneDX 1.6: the same parts give the same bytes, without time or chance.

The builds of wheels load this file by its path (``native/sbom.py``): it imports nothing of ours.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

Component = dict[str, Any]


def bill_of_materials(itself: Component, parts: Sequence[Component]) -> bytes:
    """Return the bill of ``itself``, which needs all of ``parts``, as JSON in UTF-8.

    A component that has no ``bom-ref`` gets its name for one.
    """
    named = [{"bom-ref": part["name"], **part} for part in (itself, *parts)]
    refs = [part["bom-ref"] for part in named]
    content: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": named[0]},
        "components": named[1:],
        "dependencies": [
            {"ref": refs[0], "dependsOn": refs[1:]},
            *({"ref": ref, "dependsOn": []} for ref in refs[1:]),
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, sort_keys=True))
    content["serialNumber"] = f"urn:uuid:{serial}"
    return (json.dumps(content, indent=1) + "\n").encode()
