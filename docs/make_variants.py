"""Writes the marked parts of docs/variants.md from the cards of the variants and the switches that they share.

    python docs/make_variants.py

A test holds the page to what this writes. Variants of one's own (family "own") are not on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ganbench.cli.list import default_networks, ordered_variants, short
from ganbench.networks import NETWORKS
from ganbench.variants import Hyper, Phase, Variant
from ganbench.variants.hypers import ASSEMBLED, NETWORK, OPTIONAL, TRAINER
from ganbench.variants.penalties import PENALTIES

PAGE = Path(__file__).with_name("variants.md")


def filled(text: str) -> str:
    """The page with everything between its marks made anew."""
    cards = [card for card in ordered_variants() if card.family != "own"]
    parts = {
        "overview": overview(cards),
        "variants": "\n\n".join(section(card) for card in cards),
        "penalties": of_losses(cards, [penalty.hyper for penalty in PENALTIES]),
        "losses": of_losses(cards, loss_switches(cards)),
        "trainer": hypers_table((hyper for hyper in TRAINER if hyper.switch), SWITCHES),
        "players": of_players(),
        "common": hypers_table(hyper for hyper in TRAINER if not hyper.switch),
        "network": hypers_table(NETWORK),
        "tuned": tuned(),
    }
    for mark, part in parts.items():
        begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}{part}\n{end}{rest.split(end)[1]}"
    return text


def tuned() -> str:
    """Networks that have settings of their own, whatever the variant says."""
    return table(("network", "tuned to"), [(f"`{card.name}`", assigned(card.tuned)) for card in NETWORKS if card.tuned])


def overview(cards: Iterable[Variant]) -> str:
    """One row a variant."""
    rows = [
        (
            f"[`{card.name}`](#{card.name})",
            card.family,
            short(card.paper),
            roles(card),
            ", ".join(card.kinds),
            ", ".join(f"`{network}`" for network in default_networks(card).values()),
        )
        for card in cards
    ]
    return table(("name", "family", "paper", "players", "data", "default networks"), rows)


def section(card: Variant) -> str:
    """All that a card says."""
    told = [
        f"**{card.title}.** {card.paper}{'' if card.paper.endswith('?') else '.'} Family: {card.family}.",
        card.doc,
        # one line a player, as far as an equation tells players apart
        "```text\n" + card.equation.replace("; ", "\n") + "\n```",
        f"Players: {roles(card)}. A turn: {', then '.join(turn(phase) for phase in card.phases)}.",
        *presets(card),
        *own_settings(card),
        *([f"Remarks: {card.remarks}"] if card.remarks else []),
        f"Proved by: {card.oracle}.",
    ]
    return "\n\n".join([f"### {card.name}", *told])


def roles(card: Variant) -> str:
    """Its players by name, each with what it is."""
    return ", ".join(f"{player} {role}" for player, role in card.roles.items())


def turn(phase: Phase) -> str:
    """Who moves, and how often."""
    often = f"`{phase.repeat}`" if isinstance(phase.repeat, str) else str(phase.repeat)
    return " and ".join(phase.names) + ("" if phase.repeat == 1 else f" {often} times")


PLACES = {"": "everywhere", "points": "on points", "images": "on images"}
"""Where a preset holds, the more general first; others hold with a network of their name."""


def presets(card: Variant) -> list[str]:
    """What a run of it has unless told otherwise."""
    named = [key for key in card.presets if key not in PLACES]
    rows = [
        (PLACES.get(key, f"with `{key}`"), assigned(card.presets[key]))
        for key in (*PLACES, *named)
        if key in card.presets
    ]
    return [table(("preset", "settings"), rows)] if rows else []


def own_settings(card: Variant) -> list[str]:
    """Settings beside those of every run; the switches of its losses stand in tables of their own."""
    own = [hyper for hyper in card.own_hypers.values() if not hyper.switch]
    return [hypers_table(own)] if own else []


def loss_switches(cards: Iterable[Variant]) -> list[Hyper]:
    """The switches that come with losses, but for penalties."""
    found = {hyper.name: hyper for card in cards for hyper in card.own_hypers.values() if hyper.switch}
    penalties = {penalty.hyper.name for penalty in PENALTIES}
    return [hyper for name, hyper in found.items() if name not in penalties]


def of_losses(cards: Sequence[Variant], switches: Iterable[Hyper]) -> str:
    """A table for the switches that the same variants have."""
    groups: dict[str, list[Hyper]] = {}
    for hyper in switches:
        groups.setdefault(having(cards, hyper.name), []).append(hyper)
    return "\n\n".join(f"Of {where}:\n\n{hypers_table(group, SWITCHES)}" for where, group in groups.items())


def having(cards: Sequence[Variant], name: str) -> str:
    """Which variants have a setting, said the shorter way."""
    have = [card.name for card in cards if name in card.own_hypers]
    lack = [card.name for card in cards if name not in card.own_hypers]
    return quoted(have) if len(have) <= len(lack) else f"all but {quoted(lack)}"


def of_players() -> str:
    """Switches with what they come with: a role, where players are assembled from parts, or a network."""
    hypers = {hyper.name: hyper for switches in (*ASSEMBLED.values(), OPTIONAL) for hyper in switches}
    rows = []
    for name, hyper in hypers.items():
        having_it = [role for role, switches in ASSEMBLED.items() if hyper in switches]
        networks = [card.name for card in NETWORKS if name in card.defaults]
        rows.append((*cells(hyper), ", ".join(having_it) or "–", quoted(networks) or "–"))
    built = quoted(card.name for card in NETWORKS if not card.parts)
    return f"Of roles on every network but {built}, and of the networks named.\n\n" + table(
        (*SWITCHES, "roles", "networks"), rows
    )


SETTINGS, SWITCHES = ("setting", "default", "meaning"), ("switch", "off", "meaning")


def hypers_table(hypers: Iterable[Hyper], heads: Sequence[str] = SETTINGS) -> str:
    """One row a setting or switch."""
    return table(heads, [cells(hyper) for hyper in hypers])


def cells(hyper: Hyper) -> tuple[str, str, str]:
    """Name, default, and what it means and may be."""
    choices = f"; one of {quoted(hyper.choices)}" if hyper.choices else ""
    return f"`{hyper.name}`", f"`{value(hyper.default)}`", hyper.doc + choices


def assigned(settings: Mapping[str, object]) -> str:
    """As `--set` takes them."""
    return quoted(f"{name}={value(of)}" for name, of in settings.items())


def quoted(names: Iterable[str]) -> str:
    """As code."""
    return ", ".join(f"`{name}`" for name in names)


def value(of: object) -> str:
    """In the letters of a spec file: true, 5e-5."""
    return str(of).lower() if isinstance(of, bool) else str(of).replace("e-0", "e-")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
