from __future__ import annotations

import pytest

from batch_llm.batch.citations.appositions import apposition_at, last_definition


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (', the buyer, and Bob Lee ("Seller")', "buyer"),
        (", as Seller, and Bob Lee", "seller"),
        ('("Landlord") and Mary Jones ("Tenant")', "landlord"),
        (' (the "Company" or "Employer") and', "company employer"),
        (" (Vermieter) und", "vermieter"),
        (", Leeds (seller) to Bob Lee, York (buyer)", "seller"),
        (" (the Lender) agrees", "the lender"),
        (" ('Seller') and", "seller"),
        (" (hereinafter the Lessor)", "hereinafter the lessor"),
        (", hereinafter called the Landlord, and", "hereinafter called the landlord"),
        (", nachfolgend „Käufer“ genannt, und", "kaufer"),
        ('., a Delaware company with offices in Reno ("Client"), and Foo ("Provider")', "client"),
        (", 1 Main Street, Albany, hereinafter Buyer", "hereinafter buyer"),
        (" - im Folgenden „Mieter“ genannt -", "mieter"),
        (', under the laws of England and Wales (the "Seller"), and', "seller"),
    ],
)
def test_what_follows_a_name_says_what_it_is(text: str, said: str) -> None:
    assert apposition_at(f"Al Kay{text}", len("Al Kay")) == tuple(said.split())


@pytest.mark.parametrize(
    "text",
    [
        ' and Bob Lee ("Seller")',
        ', of Austin, Texas, and Bob Lee ("Seller")',
        ' leases to Bob Lee ("Lessee")',
        " and Bob Lee, hereinafter Seller",
        ', and Bob Lee ("Seller")',
        ', Leeds. Bob Lee ("Seller")',
        " (formerly Kay Ltd)",
        ", Leeds, and Bob Lee (buyer)",
        " (34)",
    ],
)
def test_what_is_said_of_another_is_not(text: str) -> None:
    assert apposition_at(f"Al Kay{text}", len("Al Kay")) == ()


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('between Al Kay ("Seller") and ', " and "),
        ("between Al Kay, hereinafter Seller, and ", ", and "),
        ("Zwischen Al Kay (Mieter) und ", " und "),
        ('Buyer ("Käufer"): ', 'Buyer ("Käufer"): '),
        ("(Buyer) ", "(Buyer) "),
    ],
)
def test_what_the_name_before_is_called_is_no_label_of_the_next(text: str, rest: str) -> None:
    assert text[last_definition(text, 0, len(text)) :] == rest
