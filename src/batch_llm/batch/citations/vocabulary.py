"""Words that mean the same, or that exclude each other, in names of fields and in documents.

English, German and French, folded: without case and accents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .words import stem

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROLES_OF_DATES = {
    "start": "start begin begins beginning commence commences commencing commencement effective"
    " from since beginn beginnt ab von debut commence du depuis",
    "end": "end ends ending until ende endet bis fin au expires expiry expiration expire"
    " terminates",
    "due": "due payable pay fallig zahlbar echeance deadline",
    "issue": "invoice invoiced issue issued facture rechnung rechnungsdatum billed",
    "order": "order ordered placed bestellung bestelldatum commande",
    "birth": "birth born dob birthdate geboren geb geburtsdatum ne nee naissance",
    "sign": "sign signed signature unterzeichnet unterschrieben fait signe",
    "delivery": "delivery delivered deliver shipped lieferung lieferdatum livraison",
    "admission": "admission admitted aufnahme hospitalisee hospitalise admis admise",
    "discharge": "discharge discharged entlassung entlassen sortie",
    "renewal": "renewal renew renews verlangerung renouvellement",
    "planned": "planned plan geplant prevu",
    "actual": "actual tatsachlich reel",
    "approval": "approved approval genehmigt approuve",
    "publication": "published publication veroffentlicht publie",
}
_ROLES_OF_AMOUNTS = {
    "total": "total gesamt gesamtbetrag summe gesamtsumme",
    "subtotal": "subtotal zwischensumme",
    "net": "net netto nettobetrag",
    "gross": "gross brutto bruttobetrag bruttogehalt",
    "tax": "tax vat mwst ust tva mehrwertsteuer",
    "discount": "discount rabatt remise skonto",
    "shipping": "shipping freight versand postage",
    "deposit": "deposit kaution caution",
    "rent": "rent miete loyer",
    "balance": "balance saldo solde",
    "price": "price prix preis cost",
    "fee": "fee fees gebuhr frais",
    "refund": "refund refunded erstattung",
    "credit": "credit gutschrift avoir",
    "adjustment": "adjustment korrektur",
    "revenue": "revenue turnover sales umsatz chiffre",
    "profit": "profit income gewinn benefice earnings result ergebnis loss verlust",
}
_OTHER = {
    "age": "age aged old alter alt",
    "size": "dimensions dimension length width height depth size tall wide long deep high",
    "duration": "duration lasting lasts term laufzeit duree dauer",
    "employee": "employees employee employed headcount mitarbeiter effectif salaries staff",
    "color": "color colour farbe couleur",
    "weight": "weight poids gewicht weighs",
    "quantity": "quantity qty menge quantite",
    "salary": "salary gehalt bruttogehalt salaire",
    "review": "review reviews customers ratings",
    "growth": "growth grew rose increase increased stieg wachstum croissance fell"
    " declined decreased",
    "place": "place ort lieu in at a",
    "low": "low minimum min lowest",
    "high": "high maximum max highest up most cap capped",
    "old": "old was previous previously former",
    "new": "new now current currently",
}
EXCLUSIVE = (
    frozenset(_ROLES_OF_DATES),
    frozenset(_ROLES_OF_AMOUNTS),
    frozenset({"low", "high"}),
    frozenset({"old", "new"}),
)
"""Groups of roles: a value labelled with one of a group is not that of a field with another."""

_IMPLIED = {"admission": ("start",), "discharge": ("end",)}


def word_set(text: str) -> frozenset[str]:
    """Return the words of `text`."""
    return frozenset(text.split())


_GENERIC = word_set("""
    a amount and at by code count date datum day description field for id in is kind list name no
    note number of on or percent percentage pct rate ratio text the to type value year years
""")


def _concepts() -> dict[str, set[str]]:
    by_word: dict[str, set[str]] = {}
    for table in (_ROLES_OF_DATES, _ROLES_OF_AMOUNTS, _OTHER):
        for concept, words in table.items():
            for word in words.split():
                by_word.setdefault(stem(word), set()).update((concept, *_IMPLIED.get(concept, ())))
    return by_word


_BY_WORD = _concepts()


def concepts_of(words: Iterable[str]) -> set[str]:
    """Return what `words` stand for, of what this vocabulary knows."""
    return {concept for word in words for concept in _BY_WORD.get(stem(word), ())}


def telling(words: list[str]) -> list[str]:
    """Return those of a field's words that tell it from others."""
    return [word for word in words if word not in _GENERIC]


def exclude_each_other(left: set[str], right: set[str]) -> bool:
    """Tell whether a label with the concepts `left` speaks of another field than `right`."""
    if left & right:
        return False
    return any(left & group and right & group for group in EXCLUSIVE)


NEGATIONS = word_set("""
    no not never without none neither nor cannot isn doesn didn wasn kein keine keinen ohne nicht
    pas sans aucun aucune jamais
""")
TITLES = word_set("""
    dr mr mrs ms miss prof herr frau m mme mlle sir patient the der die das le la les
""")
STOP_WORDS = word_set("""
    a an and are as at be been by for from has have in is it its of on or shall that the their this
    to was were will with der die das und von zu mit im den le la les de des du et en un une
""")
COMMON_VALUES = word_set("""
    yes no true false none null na n/a unknown other active inactive open closed paid new old high
    low male female full good ja nein oui non normal default standard all any day one two
""")
