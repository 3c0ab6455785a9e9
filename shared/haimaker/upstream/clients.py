"""What reaching providers takes, shared by all requests of a gateway."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from haimaker.credentials.access import ProviderConnection
from haimaker.http.client import HTTPClient
from haimaker.lean_dataclasses import dataclass
from haimaker.routing.health import Health

if TYPE_CHECKING:
    from haimaker.links import LinkStore
    from haimaker.settings.settings import Settings
    from haimaker.upstream.image_fetcher import ImageFetcher


@dataclass(frozen=True)
class ProviderClients:
    """What reaching providers takes, shared by all requests."""

    http_client: HTTPClient
    access: Mapping[str, ProviderConnection]
    health: Health
    settings: "Settings | None" = None

    def files(self, headers: Mapping[str, str]) -> "LinkStore | None":
        """The place for files, as a request with these headers reaches it; None where there is none."""
        from haimaker.links import link_store_for  # few operations need it

        return link_store_for(self.settings, headers) if self.settings else None

    @cached_property
    def images(self) -> "ImageFetcher":
        from haimaker.upstream.image_fetcher import ImageFetcher  # few providers need it

        return ImageFetcher(proxies=self.http_client.proxies)
