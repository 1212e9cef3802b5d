"""docs/configuration.md says of each setting what the code says."""

from __future__ import annotations

import re

from docs import configuration
from docs.tables import ROOT
from photoward.core.settings import Settings, variables

VARIABLE = re.compile(r"PHOTOWARD_[A-Z0-9_]*[A-Z0-9]")

OTHER = {"PHOTOWARD_API_KEY", "PHOTOWARD_CHAOS", "PHOTOWARD_FAULTS_OUT"}
"""Variables of the command line's client and of the tests."""


def test_the_document_is_generated() -> None:
    assert configuration.CONFIGURATION.read_text() == configuration.document(), "run: make tables"


def test_every_setting_is_documented_once_with_its_purpose() -> None:
    names = [name for _heading, group in configuration.groups() for name in group]
    assert sorted(names) == sorted(Settings.model_fields)
    assert [name for name in names if not Settings.model_fields[name].description] == []


def test_the_documents_name_settings_that_exist() -> None:
    known = {one for name in Settings.model_fields for one in variables(name)}
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        if document.name != "CHANGELOG.md":
            unknown = set(VARIABLE.findall(document.read_text())) - known - OTHER
            assert unknown == set(), document
