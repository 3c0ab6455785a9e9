"""Adds a provider's credentials to a call that is otherwise complete. The only place where a secret meets a request."""

from haimaker.aws.client import AWSError
from haimaker.aws.sigv4 import Credentials, CredentialSource, sign
from haimaker.credentials.access import ProviderConnection
from haimaker.http.errors import ServiceUnavailableError
from haimaker.http.values import UpstreamRequest
from haimaker.providers.provider import Provider

SIGNED = ("content-type", "x-amz-content-sha256")
"""Headers of a call that its signature covers; S3 wants the second: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""


def auth_headers(provider: Provider, access: ProviderConnection, request: UpstreamRequest, now_s: float) -> dict[str, str]:
    """The headers that authenticate a call: a key, a token or an AWS signature of the whole call; none for a server that asks for
    none."""
    if access.api_key:
        has_scheme = provider.auth.key_header == "authorization"
        return {provider.auth.key_header: f"{provider.auth.key_scheme} {access.api_key}" if has_scheme else access.api_key}
    if access.tokens:
        return {"authorization": f"Bearer {access.tokens.token()}"}
    if access.credentials and provider.auth.signs_as:
        url = access.base_url + request.path
        content_type = {name: value for name, value in request.headers.items() if name in SIGNED}
        credentials = _current_credentials(access.credentials)
        signed = sign(credentials, provider.auth.signs_as, access.region, request.method, url, content_type, request.body, now_s)
        return {name: value for name, value in signed.items() if name != "host"}
    return {}


def _current_credentials(source: CredentialSource) -> Credentials:
    try:
        return source.current()
    except AWSError as error:
        raise ServiceUnavailableError(
            "The gateway has no AWS credentials at the moment with which to sign the call to the provider.",
            code="credentials_unavailable",
            headers={"retry-after": "5"},
        ) from error
