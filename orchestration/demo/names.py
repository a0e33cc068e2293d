"""The words people, companies and texts of the demo are made of."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words(
    "Alexander Andrew Barbara Benjamin Catherine Charles Christopher Daniel David Deborah "
    "Edward Elizabeth Frederick Gabriel Gregory Isabella Jacob James Jennifer Jessica "
    "Joseph Katherine Kenneth Lawrence Leonard Margaret Matthew Michael Natalie Nicholas "
    "Pamela Patricia Rebecca Richard Robert Samantha Samuel Stephanie Steven Susan Theodore "
    "Thomas Timothy Valerie Victoria Vincent William Zachary Amara Bruno Chloe Dmitri Elena "
    "Farid Greta Hana Ingrid Jonas Kofi Leila Marek Nadia Oskar Priya Quentin Rosa Sven "
    "Tomoko Ugo Vera Wanda Xenia Yusuf Zoe"
)
NICKNAMES = {
    "Alexander": "Alex", "Andrew": "Andy", "Barbara": "Barb", "Benjamin": "Ben",
    "Catherine": "Cathy", "Charles": "Charlie", "Christopher": "Chris", "Daniel": "Dan",
    "David": "Dave", "Deborah": "Debbie", "Edward": "Ted", "Elizabeth": "Liz",
    "Frederick": "Fred", "Gabriel": "Gabe", "Gregory": "Greg", "Isabella": "Bella",
    "Jacob": "Jake", "James": "Jim", "Jennifer": "Jenny", "Jessica": "Jess", "Joseph": "Joe",
    "Katherine": "Kate", "Kenneth": "Ken", "Lawrence": "Larry", "Leonard": "Leo",
    "Margaret": "Maggie", "Matthew": "Matt", "Michael": "Mike", "Natalie": "Nat",
    "Nicholas": "Nick", "Pamela": "Pam", "Patricia": "Pat", "Rebecca": "Becky",
    "Richard": "Rick", "Robert": "Bob", "Samantha": "Sam", "Samuel": "Sammy",
    "Stephanie": "Steph", "Steven": "Steve", "Susan": "Sue", "Theodore": "Theo",
    "Thomas": "Tom", "Timothy": "Tim", "Valerie": "Val", "Victoria": "Vicky",
    "Vincent": "Vince", "William": "Bill", "Zachary": "Zach",
}  # fmt: skip
LAST_HEAD = _words(
    "Ash Bar Beck Bell Brand Carl Clay Cole Dahl Dorn Ever Falk Fern Gold Graf Hall Hart "
    "Holm Kell King Lind Lock Mar Mont New Nor Oak Pal Quin Rad Rose Sand Sher Stan Thorn "
    "Val Wald West Win York"
)
LAST_TAIL = _words(
    "berg bridge burn by croft dale den er field ford gate ham hurst ington ley man mark "
    "ner more quist ridge sen shaw smith son stein strom ton vale ville ward well wick win "
    "wood worth"
)
COMPANY_HEAD = _words("Alder Amber Basalt Cedar Cobalt Delta Ember Fjord Granite Harbor Indigo")
COMPANY_MIDDLE = _words("Bright Clear Deep Fair High Iron Long North Open Quick River Silver")
COMPANY_TAIL = _words("Labs Works Foods Media Freight Health Energy Retail Systems Partners")
INDUSTRIES = _words("software retail healthcare logistics finance education media energy")
PLACES = (
    ("US", "Boston", "02108"), ("US", "Denver", "80202"), ("US", "Austin", "73301"),
    ("US", "Portland", "97201"), ("GB", "Leeds", "LS1 4AP"), ("GB", "Bristol", "BS1 5TR"),
    ("DE", "Hamburg", "20095"), ("DE", "Munich", "80331"), ("FR", "Lyon", "69001"),
    ("NL", "Utrecht", "3511"), ("SE", "Uppsala", "75310"), ("ES", "Valencia", "46001"),
)  # fmt: skip
DIAL = {"US": "+1", "GB": "+44", "DE": "+49", "FR": "+33", "NL": "+31", "SE": "+46", "ES": "+34"}
PROVIDERS = _words(
    "mailbox.example postbox.example inbox.example webmail.example letterbox.example"
)
OWN_DOMAIN = "northbeam.example"
PERSONAS = ("explorer", "builder", "manager", "saver")
GOALS = {
    "explorer": "learn what the product can do",
    "builder": "automate the weekly reporting",
    "manager": "see the team's work in one place",
    "saver": "replace a more expensive tool",
}
MOODS = {
    "angry": ("This is unacceptable, I have been charged twice and nobody answers!",
              "Third time the checkout breaks on my phone. I am done."),
    "frustrated": ("I still cannot export the report, it keeps failing.",
                   "I have explained this to sales already, why do I start over?"),
    "confused": ("Where do I find the invoices? The menu looks different.",
                 "I do not understand what the limit on my plan means."),
    "neutral": ("Please change the billing address of our account.",
                "How can I add a second user?"),
    "happy": ("Thank you, that solved it at once. Great support!",
              "Love the new dashboard, works perfectly."),
}  # fmt: skip
REASONS = ("too_expensive", "missing_feature", "poor_support", "product_errors", "no_need")


def sql_list(words: tuple[str, ...] | list[str]) -> str:
    """A DuckDB list literal of texts."""
    return "[" + ", ".join("'" + word.replace("'", "''") + "'" for word in words) + "]"


def sql_map(pairs: dict[str, str]) -> str:
    """A DuckDB map literal of texts."""
    return f"map({sql_list(list(pairs))}, {sql_list(list(pairs.values()))})"
