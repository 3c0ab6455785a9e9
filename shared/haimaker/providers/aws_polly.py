"""Amazon Polly.

https://docs.aws.amazon.com/general/latest/gr/pol.html
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers.common import voices
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

# https://docs.aws.amazon.com/polly/latest/dg/available-voices.html: those of the United States, where an engine has enough of them.
# https://docs.aws.amazon.com/polly/latest/dg/prosody-tag.html: 20 to 200 % as fast.
SPEECH = Provider(
    "aws_polly",
    adapter="polly",
    auth=Auth(signs_as="polly"),
    dialect=Dialect(
        audio_formats=("mp3", "opus", "wav"),
        drop=("instructions",),
        add={"voice": "Joanna"},
        values=voices("Joanna Stephen Matthew Ruth Joey Gregory Matthew Danielle Kendra Salli Stephen Kimberly Gregory"),
    ),
    limits=Limits(speeds=(0.25, 2.0), max_characters=3_000),
)

ENGINES = {
    "generative-voice": replace(
        SPEECH,
        dialect=replace(
            SPEECH.dialect,
            values=voices("Joanna Stephen Matthew Ruth Matthew Stephen Matthew Danielle Salli Salli Stephen Ruth Matthew"),
        ),
    ),
    "long-form-voice": replace(
        SPEECH,
        dialect=replace(
            SPEECH.dialect,
            add={"voice": "Danielle"},
            values=voices("Danielle Gregory Gregory Ruth Gregory Gregory Gregory Danielle Ruth Danielle Gregory Ruth Gregory"),
        ),
    ),
    "lettered-voice": replace(
        SPEECH,
        dialect=replace(
            SPEECH.dialect,
            values=voices("Joanna Joey Matthew Kimberly Joey Matthew Matthew Salli Kendra Salli Joey Kimberly Matthew"),
        ),
    ),
}

PROVIDER = Provider(
    "aws_polly",
    adapter="",
    endpoint=Endpoint("https://polly.{AWS_REGION}.amazonaws.com"),
    auth=Auth(signs_as="polly"),
    operations={"audio_speech": replace(SPEECH, families=ENGINES)},
)
