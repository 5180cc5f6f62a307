"""Words that turn the name of a field into that of its opposite.

English, German and French, folded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from .units import unit_of
from .vocabulary import NEGATIONS
from .words import stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TABLE = """
    min minimum minimal lowest low lower least mindest mindestens tiefste
        | max maximum maximal highest high higher upper most peak capped hochst hochste hochstens
    before pre vor avant | after post nach apres
    opening initial starting start begin beginning | closing final ending end
    buyer purchaser customer client kaufer kaeufer kunde kunden acheteur
        | seller vendor vendeur supplier fournisseur provider verkaufer verkaeufer lieferant
    auftraggeber | auftragnehmer
    lender creditor glaubiger glaeubiger | borrower debtor schuldner
    landlord lessor vermieter bailleur | tenant lessee mieter locataire
    licensor | licensee
    employer arbeitgeber employeur | employee arbeitnehmer salarie
    plaintiff claimant klager klaeger | defendant respondent beklagter
    sender shipper consignor absender expediteur
        | recipient receiver consignee empfanger empfaenger destinataire
    first given forename vorname prenom 1st | second middle 2nd | third 3rd | fourth 4th
        | last family surname nachname final
    origin source departure dep departing departs abfahrt depart
        | destination target arrival arr arriving arrives ankunft arrivee
    gross brutto brut | net netto
    debit debited | credit credited
    input inbound incoming inflow | output outbound outgoing outflow
    old previous prev previously prior former formerly earlier vorherige ancien
        | new current curr currently present now neu aktuell actuel nouveau
        | next following upcoming
    incl including inclusive included inkl inklusive
        | excl excluding exclusive excluded exkl exklusive zuzuglich zuzueglich zuzgl zzgl
    billing | shipping delivery
    home privat | work office business mobile
    home heim | away visiting auswarts
    left links gauche | right rechts droite
    systolic | diastolic
    morning morgens matin | noon midday mittags | evening night abends soir
    male men man boys mannlich hommes | female women woman girls weiblich femmes
    husband | wife
    mother | father
    public | private
    internal | external
    domestic national inland | foreign international ausland
    primary | secondary
    budget budgeted planned forecast expected | actual real
    paid bezahlt paye | unpaid outstanding offen impaye
    assets aktiva actif | liabilities passiva passif
    passed succeeded successful | failed unsuccessful
    accepted approved | rejected denied declined
    import imports imported | export exports exported
    upload uploaded | download downloaded
    q1 | q2 | q3 | q4
    hourly | daily taglich | weekly | monthly monatlich mensuel
        | quarterly | annual annually yearly jahrlich annuel
    birth born geboren naissance | death died gestorben deces
    urban | rural
    summer | winter
"""
_FUNCTION_WORDS = "from von | to nach vers"


def _groups(table: str) -> list[list[frozenset[str]]]:
    """Return the lines of a table as sides; a line that begins with a bar goes on with the last."""
    lines = " ".join(f"| {line.lstrip()[1:]}" if line.lstrip().startswith("|") else f"\n{line}"
                     for line in table.splitlines())  # fmt: skip
    return [
        [frozenset(stem(word) for word in side.split()) for side in line.split("|")]
        for line in lines.splitlines()
        if line.strip()
    ]


_GROUPS = _groups(_TABLE)
_JOURNEY = next(group for group in _GROUPS if "origin" in group[0])
_FROM, _TO = _groups(_FUNCTION_WORDS)[0]
_BOUNDS = {
    **dict.fromkeys(("less", "fewer", "weniger", "below", "moins"), "least"),
    **dict.fromkeys(("more", "mehr", "exceed", "above", "plus"), "most"),
}
"""What is said after a "not": "no less than 5" is at least 5."""
_BESIDE = 2
_UNITS = frozenset({"seconds"})
"""Of these, the singular stands in the table and means something else."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The side of one group that a field is on.

    Attributes:
        own: the words of it.
        others: those of the opposite, or opposites.
        own_way: of the ends of a journey, "from" or "to"; empty for other groups.
        other_way: the contrary of it.
    """

    own: frozenset[str]
    others: frozenset[str]
    own_way: frozenset[str] = frozenset()
    other_way: frozenset[str] = frozenset()


def says_contrary(
    name: tuple[str, ...],
    parents: tuple[str, ...],
    left: Sequence[str],
    right: Sequence[str],
    apposition: Sequence[str] = (),
    *,
    leads_on: bool = False,
) -> bool:
    """Tell whether a label turns what a field is for into its opposite.

    An apposition decides, else the word that stands nearest before the value, and one after it
    where it is the field's own, or where none stands before: "100 net, 119 gross" has a net of 100.

    Args:
        name: the words of the field's name.
        parents: those of the names above it, which count where the own ones tell nothing.
        left: the words before the value.
        right: the words after it.
        apposition: the words of "the buyer", after a name and a comma.
        leads_on: the words after the value lead on to another one, and are of that where a word
            before tells enough: "net 100 gross 119".
    """
    sides = _sides(name, parents)
    if not sides:
        return False
    before, apposed = _stems(left)[::-1], _stems(apposition)
    # "12 minutes on max": the unit is a part of the value.
    after = _stems(right[1:] if right and unit_of(right[0]) and right[0] != "min" else right)
    return any(_is_other(side, before, after, apposed, leads_on=leads_on) for side in sides)


@lru_cache(maxsize=1_024)
def _sides(name: tuple[str, ...], parents: tuple[str, ...]) -> list[_Side]:
    names = [_stems(name), _stems(parents)]
    return [side for group in _GROUPS if (side := _side(names, group)) is not None]


def _side(names: list[list[str]], group: list[frozenset[str]]) -> _Side | None:
    """Return the side that a field is on; None where it is on none, or on several."""
    ways = (_FROM, _TO) if group is _JOURNEY else (frozenset[str](),) * len(group)
    for words in names:
        on = [at for at, side in enumerate(group) if side & set(words)]
        # "from_city": in the middle of a name, the word may mean anything.
        on = on or [at for at, way in enumerate(ways) if words and words[0] in way]
        if len(on) == 1:
            rest = [side for at, side in enumerate(group) if at != on[0]]
            others = frozenset[str]().union(*rest)
            return _Side(group[on[0]], others, ways[on[0]], ways[on[0] - 1])
        if on:
            return None
    return None


def _stems(words: Sequence[str]) -> list[str]:
    pairs = zip(("", *words), words, strict=False)
    bounded = (_BOUNDS.get(word, word) if before in NEGATIONS else word for before, word in pairs)
    return [stem(word) for word in bounded if word not in _UNITS]


def _is_other(
    side: _Side, before: list[str], after: list[str], apposed: list[str], *, leads_on: bool
) -> bool:
    words = side.own | side.others
    if (told := _first(apposed, words)) is not None:
        return told in side.others
    # A number of minutes is no minimum.
    told_after = _first(after, words - ({"min"} - side.own))
    if (told := _first(before, words)) is not None:
        return told in side.others and (leads_on or told_after not in side.own)
    # "from Rome to Paris": so common are these that they tell only right beside the value.
    way = _first(before[:1], side.own_way | side.other_way)
    if way is not None:
        return way in side.other_way
    # What stands farther on is of what follows.
    return told_after in side.others and told_after in after[:_BESIDE]


def _first(words: Iterable[str], wanted: frozenset[str]) -> str | None:
    return next((word for word in words if word in wanted), None)
