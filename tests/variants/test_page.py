"""docs/variants.md is what the cards say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from ganbench.variants import VARIANTS, Variant

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "variants.md").read_text(encoding="utf-8")
CARDS = [card for card in VARIANTS if card.family != "own"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_variants", DOCS / "make_variants.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_registry_gives(script: ModuleType) -> None:
    assert script.filled(TEXT) == TEXT, "docs/variants.md is stale: run python docs/make_variants.py"


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_section_says_all_that_its_card_says(card: Variant) -> None:
    section = re.search(rf"^### {re.escape(card.name)}\n(.*?)^(?:### |<!-- end)", TEXT, re.MULTILINE | re.DOTALL)
    assert section, f"{card.name} has no section"
    assert all(said in section[1] for said in (card.title, card.paper, card.doc, card.remarks, card.oracle))
    assert all(part in section[1] for part in card.equation.split("; "))
    assert all(f"{player} {role}" in section[1] for player, role in card.roles.items())
    assert all(f"`{name}=" in section[1] for preset in card.presets.values() for name in preset)
    assert all(hyper.switch or f"`{name}`" in section[1] for name, hyper in card.own_hypers.items())


def test_links_within_the_page_lead_somewhere() -> None:
    headings = set(re.findall(r"^### (.+)$", TEXT, re.MULTILINE))
    targets = re.findall(r"\]\(#(.+?)\)", TEXT)
    assert sorted(targets) == sorted(card.name for card in CARDS)
    assert set(targets) <= headings


def test_every_switch_has_its_row() -> None:
    from ganbench.networks import NETWORKS
    from ganbench.training.settings import hypers

    pairs = ((card, network) for card in CARDS for network in NETWORKS)
    switches = {name for pair in pairs for name, hyper in hypers(*pair).items() if hyper.switch}
    tables = TEXT[TEXT.index("## Switches") :]
    assert not {name for name in switches if f"| `{name}` |" not in tables}


@pytest.mark.parametrize(("value", "written"), [(True, "true"), (5e-5, "5e-5"), (1.000004, "1.000004"), ("sum", "sum")])
def test_values_are_written_in_full(script: ModuleType, value: object, written: str) -> None:
    assert script.value(value) == written
