"""The environment of an account, which the deployer named beside a provider's own: another key, region or server. Pure.

An account `azure_eu` of `azure` reads `AZURE_EU_API_KEY` where the provider reads `AZURE_API_KEY`, and so on for all of the
provider's variables. A variable that is not the provider's alone, such as `AWS_REGION`, is read as `AZURE_EU_AWS_REGION`, else as
it is.
"""

from collections.abc import Mapping

from haimaker.providers.provider import Provider
from haimaker.routing.config import ProviderAccount

AWS_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HAIMAKER_SIGNED_PROVIDERS")
GOOGLE_CREDENTIALS = ("GOOGLE_APPLICATION_CREDENTIALS",)


def variables_for(name: str, account: ProviderAccount, base: Provider, env: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the provider's own rules find the account's credentials and address."""
    prefix, theirs = _prefix(name), _prefix(base.name)
    own = {variable.removeprefix(prefix): value for variable, value in env.items() if variable.startswith(prefix)}
    own |= {variable.removeprefix(theirs): value for variable, value in account.settings.items()}
    secret = {f"{theirs}API_KEY", f"{theirs}CREDENTIALS", *base.auth.key_variables, *base.auth.token_variables}
    secret |= {*AWS_CREDENTIALS, *GOOGLE_CREDENTIALS}
    kept = {
        variable: value
        for variable, value in env.items()
        if (variable in secret and account.shares_credentials)
        or not (variable in secret or variable.startswith(theirs) or variable in base.endpoint.base_url_variables)
    }
    return {**kept, **own, **{f"{theirs}{variable}": value for variable, value in own.items()}}


def _prefix(name: str) -> str:
    return name.upper().replace("-", "_") + "_"
