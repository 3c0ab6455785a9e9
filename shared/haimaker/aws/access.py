"""Where AWS's services are, and with which credentials they are asked."""

from haimaker.aws.sigv4 import CredentialSource
from haimaker.lean_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AWSAccess:
    """The region, the credentials and the addresses with which AWS's services are asked."""

    region: str
    credentials: CredentialSource
    dynamodb_endpoint: str | None = None
    """The address of an emulator; None for AWS itself, as with the others."""
    ssm_endpoint: str | None = None
    s3_endpoint: str | None = None
    lambda_endpoint: str | None = None
    sqs_endpoint: str | None = None

    def bucket_address(self, bucket: str, key: str) -> tuple[str, str]:
        """The address of the server and the path of an object; `key` is already percent-encoded."""
        if self.s3_endpoint:
            return self.s3_endpoint, f"/{bucket}/{key}"
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"https://{bucket}.s3.{self.region}.{suffix}", f"/{key}"
