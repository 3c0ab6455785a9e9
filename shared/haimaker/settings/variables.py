"""Reading one variable of an environment. Each function raises SettingsError, which names the variable and what it should be."""

from collections.abc import Mapping

from haimaker.validation.settings import SettingsError, validate_url


def without_blanks(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables without those that are set to nothing, which count as not set."""
    return {name: value.strip() for name, value in environment.items() if value.strip()}


def get_int(env: Mapping[str, str], name: str, default: int, *, least: int = 0, most: int = 10**9) -> int:
    text = env.get(name, str(default))
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, not {text!r}.")
    return int(text)


def get_choice(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """One of these values; the first is the default."""
    value = env.get(name, choices[0])
    if value not in choices:
        raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def get_bool(env: Mapping[str, str], name: str) -> bool:
    """Whether the variable is `true`; it may also be `false`, which is the default."""
    return get_choice(env, name, ("false", "true")) == "true"


def get_url(env: Mapping[str, str], name: str, example: str) -> str | None:
    return validate_url(name, env[name], example) if name in env else None


def get_address(env: Mapping[str, str], name: str, example: str) -> str:
    """A URL as it is, with its query, in which a receiver's secret may stand; empty where there is none. Raises SettingsError."""
    address = env.get(name, "").strip()
    if address:
        validate_url(name, address.partition("?")[0], example)
    return address


def get_list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Values with commas between them."""
    return tuple(value.strip() for value in env.get(name, "").split(",") if value.strip())


def get_networks(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Networks such as `10.0.0.0/8`."""
    found = get_list(env, name)
    if found:
        from ipaddress import ip_network  # a function in Lambda has no such proxies

        for network in found:
            try:
                ip_network(network)
            except ValueError:
                raise SettingsError(f"{name} must be networks such as 10.0.0.0/8, with commas between, not {network!r}.") from None
    return found
