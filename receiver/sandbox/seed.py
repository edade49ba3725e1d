"""What is in a new sandbox: the environment's own rows, and a small company to look at."""

from __future__ import annotations

from typing import Any

SeedRow = tuple[str, str, dict[str, Any]]
"""Table, id, and columns."""


def _id(prefix: str, number: int) -> str:
    return f"{prefix}-0000-4000-8000-{number:012d}"


BUSINESS_UNIT = _id("b0000000", 1)
BASE_CURRENCY = _id("cc000000", 1)
US_DOLLAR = _id("cc000000", 2)
POUND = _id("cc000000", 3)
SALES_MANAGER = _id("50000000", 1)
SALES_PERSON = _id("50000000", 2)
FORMER_SALES_PERSON = _id("50000000", 3)
APPLICATION_USER = _id("50000000", 4)
FIRST_ACCOUNT = _id("a0000000", 1)
FIRST_CONTACT = _id("c0000000", 1)


def foundation(organization_id: str, client_id: str, language: int) -> list[SeedRow]:
    """Without these no other row can be written: currency, business unit, and the users who write."""
    unit = {"businessunitid": ("businessunit", BUSINESS_UNIT)}
    application = {
        "firstname": "#",
        "lastname": "receiver",
        "internalemailaddress": "receiver@nordhaven.example",
        "isintegrationuser": True,
        "accessmode": 4,
        "applicationid": client_id,
    }
    return [
        ("businessunit", BUSINESS_UNIT, {"name": "Nordhaven"}),
        ("transactioncurrency", BASE_CURRENCY, _currency("EUR", "Euro", "€", "1")),
        (
            "organization",
            organization_id,
            {
                "name": "Nordhaven",
                "basecurrencyid": BASE_CURRENCY,
                "languagecode": language,
                "pricingdecimalprecision": 2,
                "expirechangetrackingindays": 7,
            },
        ),
        ("systemuser", SALES_MANAGER, _user("Anna", "Lindqvist", "Sales Manager", "Malmö", "Sweden") | unit),
        ("systemuser", APPLICATION_USER, application | unit),
    ]


def _currency(code: str, name: str, symbol: str, rate: str) -> dict[str, Any]:
    return {
        "isocurrencycode": code,
        "currencyname": name,
        "currencysymbol": symbol,
        "exchangerate": rate,
        "currencyprecision": 2,
    }


def _user(first: str, last: str, job: str, city: str, country: str, **more: Any) -> dict[str, Any]:
    mail = f"{first}.{last}@nordhaven.example".lower().replace("ö", "o").replace("å", "a")
    return {
        "firstname": first,
        "lastname": last,
        "jobtitle": job,
        "title": job,
        "internalemailaddress": mail,
        "domainname": mail,
        "address1_city": city,
        "address1_country": country,
        "islicensed": True,
        "isintegrationuser": False,
        "accessmode": 0,
        **more,
    }


def company() -> list[SeedRow]:
    """A believable small company; every id is fixed, so that pages and tests can name it."""
    unit = {"businessunitid": ("businessunit", BUSINESS_UNIT)}
    weber = _user("Jonas", "Weber", "Account Executive", "Hamburg", "Germany") | unit
    holm = _user("Margit", "Holm", "Account Executive", "Aarhus", "Denmark", isdisabled=True) | unit
    return [
        ("transactioncurrency", US_DOLLAR, _currency("USD", "US Dollar", "$", "1.0842")),
        ("transactioncurrency", POUND, _currency("GBP", "Pound Sterling", "£", "0.8561")),
        ("systemuser", SALES_PERSON, weber),
        ("systemuser", FORMER_SALES_PERSON, holm),
        *_accounts(),
        *_contacts(),
        *_primary_contacts(),
        *_products(),
        *_opportunities(),
    ]


_ACCOUNTS = """
Nordwind Trading GmbH|3|Speicherstadt 14|20457|Hamburg|Germany|+49 40 5550 1420|nordwind-trading|75000|
Brasserie du Lac SA|3|Quai d'Ouchy 8|1006|Lausanne|Switzerland|+41 21 555 08 70|brasserie-du-lac|18000|
Fjellheim Bygg AS|3|Strandgaten 201|5004|Bergen|Norway|+47 55 50 32 10|fjellheim-bygg|120000|
Van der Linden Logistiek B.V.|11|Maasboulevard 56|3063 NS|Rotterdam|Netherlands|+31 10 555 7340|vdlinden-logistiek||
Officina Bellini S.r.l.|11|Via Emilia Est 112|41121|Modena|Italy|+39 059 555 2281|officina-bellini||
Harrow & Pike Ltd|3|27 Park Row|LS1 5QL|Leeds|United Kingdom|+44 113 555 0162|harrowpike|42500.50|GBP
Kavárna Zlatý Kohout s.r.o.|8|Vinohradská 88|130 00|Praha|Czechia|+420 225 550 318|zlatykohout||
Atelier Moreau SARL|3|12 Rue Mercière|69002|Lyon|France|+33 4 55 50 19 64|atelier-moreau|9500|
"""


def _accounts() -> list[SeedRow]:
    owners = (SALES_MANAGER, SALES_PERSON)
    rows: list[SeedRow] = []
    for number, line in enumerate(_ACCOUNTS.strip().splitlines(), 1):
        name, kind, street, code, city, country, phone, site, limit, iso = line.split("|")
        values: dict[str, Any] = {
            "name": name,
            "accountnumber": f"NH-{1000 + number}",
            "customertypecode": int(kind),
            "address1_line1": street,
            "address1_postalcode": code,
            "address1_city": city,
            "address1_country": country,
            "telephone1": phone,
            "emailaddress1": f"office@{site}.example",
            "websiteurl": f"https://www.{site}.example",
            "creditlimit": limit or None,
            "ownerid": ("systemuser", owners[number % 2]),
            "transactioncurrencyid": POUND if iso else BASE_CURRENCY,
        }
        if name.startswith("Atelier"):
            values |= {"statecode": 1, "statuscode": 2}
        rows.append(("account", _id("a0000000", number), values))
    return rows


_CONTACTS = """
Greta|Hansen|Head of Purchasing|1|nordwind-trading|+49 171 555 0141
Luc|Favre|Owner|2|brasserie-du-lac|+41 79 555 08 71
Ingrid|Solberg|Project Director|3|fjellheim-bygg|+47 905 55 211
Pieter|van der Linden|Managing Director|4|vdlinden-logistiek|+31 6 5550 7341
Chiara|Bellini|Administration|5|officina-bellini|+39 347 555 2282
Oliver|Pike|Finance Director|6|harrowpike|+44 7700 900162
Tomáš|Novotný|Manager|7|zlatykohout|+420 602 555 319
Élise|Moreau|Founder|8|atelier-moreau|+33 6 55 50 19 65
Mirela|Ionescu|Interior Architect|0|ionescu-studio|+40 722 555 470
"""


def _contacts() -> list[SeedRow]:
    rows: list[SeedRow] = []
    for number, line in enumerate(_CONTACTS.strip().splitlines(), 1):
        first, last, job, parent, site, mobile = line.split("|")
        values = {
            "firstname": first,
            "lastname": last,
            "jobtitle": job,
            "emailaddress1": f"{_ascii(first)}.{_ascii(last)}@{site}.example",
            "mobilephone": mobile,
            "ownerid": ("systemuser", SALES_PERSON),
            "parentcustomerid": ("account", _id("a0000000", int(parent))) if int(parent) else None,
        }
        rows.append(("contact", _id("c0000000", number), values))
    return rows


def _ascii(name: str) -> str:
    return name.lower().replace(" ", "").translate(str.maketrans("ášýéí", "asyei"))


def _primary_contacts() -> list[SeedRow]:
    """Account and contact point at each other, so this comes after both."""
    return [
        ("account", _id("a0000000", number), {"primarycontactid": ("contact", _id("c0000000", number))})
        for number in range(1, 7)
    ]


def _products() -> list[SeedRow]:
    group, unit, prices = _id("9c000000", 1), _id("90000000", 1), _id("9e000000", 1)
    common = {"defaultuomscheduleid": group, "defaultuomid": unit, "pricelevelid": prices}
    goods = [
        ("BENCH-180", "Oak bench 180 cm", "349.00", "212.50"),
        ("LAMP-ARC", "Arc floor lamp", "189.90", "96.40"),
        ("FIT-OUT", "Fit-out consulting, hour", "115.00", "70.00"),
    ]
    rows: list[SeedRow] = [
        ("uomschedule", group, {"name": "Default Unit"}),
        ("uom", unit, {"name": "Primary Unit", "uomscheduleid": group}),
        ("pricelevel", prices, {"name": "Standard Price List", "transactioncurrencyid": BASE_CURRENCY}),
    ]
    for number, (code, name, price, cost) in enumerate(goods, 1):
        values = {
            "productnumber": code,
            "name": name,
            "price": price,
            "standardcost": cost,
            "currentcost": cost,
            "producttypecode": 3 if code == "FIT-OUT" else 1,
            "productstructure": 1,
        }
        rows.append(("product", _id("9d000000", number), values | common))
    return rows


def _opportunities() -> list[SeedRow]:
    deals = [(1, "Showroom refit, Hamburg", "48000"), (3, "Site offices, Bergen", "131500")]
    return [
        (
            "opportunity",
            _id("09000000", number),
            {
                "name": name,
                "estimatedvalue": value,
                "customerid": ("account", _id("a0000000", account)),
                "parentaccountid": _id("a0000000", account),
            },
        )
        for number, (account, name, value) in enumerate(deals, 1)
    ]
