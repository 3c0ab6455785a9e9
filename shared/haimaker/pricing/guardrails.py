"""What Amazon Bedrock's guardrails cost, by the units that its answers count. Pure.

A unit of text is 1,000 characters, and each policy of a guardrail is billed for itself: https://aws.amazon.com/bedrock/pricing/
"""

from haimaker.http.values import JSON
from haimaker.pricing.usage import to_count

TEXT_MICROUSD = {
    "topicPolicyUnits": 150,
    "contentPolicyUnits": 150,
    "sensitiveInformationPolicyUnits": 100,
    "contextualGroundingPolicyUnits": 100,
    "automatedReasoningPolicyUnits": 170,
}
IMAGE_MICROUSD = {"contentPolicyImageUnits": 750}
"""A unit of each policy, in millionths of a dollar; words are free."""
UNIT_CHARACTERS = 1_000
TOKEN_CHARACTERS = 8
"""As long as tokens of an answer are reckoned to be, twice the usual."""


def cost_microusd(used: JSON) -> int:
    """What an object of usage says was judged."""
    return sum(to_count(used, name) * microusd for name, microusd in {**TEXT_MICROUSD, **IMAGE_MICROUSD}.items())


def max_microusd(characters: int, texts: int = 1, images: int = 0) -> int:
    """The most for so many characters in so many texts, by a guardrail that has every policy."""
    units = characters // UNIT_CHARACTERS + texts
    return units * sum(TEXT_MICROUSD.values()) + images * sum(IMAGE_MICROUSD.values())
