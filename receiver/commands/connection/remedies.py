"""What to do about each way in which a connection does not come about, by what msal and Dataverse report.

Source: learn, AADSTS error codes; reference/dataverse.md §6.9 (DP/reference/web-service-error-codes.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from receiver.dataverse.auth import CERTIFICATE_FILE, UNKNOWN_TENANT
from receiver.dataverse.reach import Obstacle

_OVERVIEW = "in the app registration's Overview (entra.microsoft.com → App registrations)"
_TENANT = f"Set the tenant to the Directory (tenant) ID {_OVERVIEW}."
OTHER_TENANT = "AADSTS500011"
_SECRETS = "in the app registration under Certificates & secrets"

#: by AADSTS code, or by one of auth.py
OF_SIGN_IN: Mapping[str, str] = {
    UNKNOWN_TENANT: _TENANT,
    "AADSTS900021": _TENANT,
    "AADSTS900023": _TENANT,
    "AADSTS700016": (
        f"Set the client to the Application (client) ID {_OVERVIEW}; if it is right, it is registered in another "
        "tenant: set that one's ID."
    ),
    "AADSTS7000112": "The application is disabled: enable it under Enterprise applications → Properties.",
    "AADSTS7000229": (
        "The tenant has no service principal of the application: make it in the app registration's Overview, beside "
        "Managed application in local directory."
    ),
    "AADSTS7000215": f"Set the secret's Value, not its Secret ID; if nobody kept it, make a new one {_SECRETS}.",
    "AADSTS7000222": f"Make a new secret {_SECRETS}, and run: receiver connect",
    "AADSTS700027": (
        f"Upload the certificate of the file RECEIVER_CLIENT_CERTIFICATE, without its key, {_SECRETS}; if it stands "
        "there, it may have expired: make a new one."
    ),
    "AADSTS700024": "Set this machine's clock: what it signs is not valid at the authority's time.",
    OTHER_TENANT: "The address is no environment of this tenant: set the right address, or the right tenant.",
    "AADSTS53003": "A Conditional Access policy blocks the application: have it let this machine's address through.",
    CERTIFICATE_FILE: "Set the path of a PEM file that holds the private key, without a password, and the certificate.",
}
_USERS = "admin.powerplatform.microsoft.com → the environment → Settings → Users + permissions → Application users"
IN_TIME = "Try again in a moment; if it stays, look at admin.powerplatform.microsoft.com → Service health."
NO_PRIVILEGE = (
    f"Give the application user a security role that has it (docs/role.md lists all): {_USERS} → Edit security roles."
)
#: by Dataverse's own code
OF_REFUSALS: Mapping[str, str] = {
    "0x80072560": (
        f"Make the application user: {_USERS} → New app user; choose the app registration, and give it the receiver's "
        "security role."
    ),
    "0x80040225": f"The application user is disabled: enable it, {_USERS}.",
    "0x80040220": NO_PRIVILEGE,
    "0x80048306": NO_PRIVILEGE,
}
OF_OBSTACLES: Mapping[Obstacle, str] = {
    Obstacle.NO_HOST: (
        "Compare the address with that of Sales in a browser; if it is right, this machine's DNS does not know it: ask "
        "whoever runs your network."
    ),
    Obstacle.REFUSED: (
        "Compare the address with that of Sales in a browser; if it is right, a firewall keeps this machine from it: "
        "let it reach *.dynamics.com on port 443."
    ),
    Obstacle.TLS: (
        "If a proxy of your network opens TLS connections, set REQUESTS_CA_BUNDLE to a PEM file with that proxy's "
        "authority. If none does, this is not Dataverse: correct the address, and send nothing there."
    ),
    Obstacle.TRUST: "Correct REQUESTS_CA_BUNDLE where the receiver is started, or take it out.",
    Obstacle.PROXY: "Where the receiver is started, correct HTTPS_PROXY, or name Dataverse's host in NO_PROXY.",
    Obstacle.SILENT: "Let this machine reach *.dynamics.com and login.microsoftonline.com on port 443.",
}
#: they stand in the way of the sign-in address, too
OF_THIS_MACHINE = frozenset({Obstacle.TLS, Obstacle.TRUST, Obstacle.PROXY})


def of_sign_in(code: str) -> str:
    return OF_SIGN_IN.get(code, "Compare tenant, client and secret or certificate with the app registration.")
