"""A transcript in each of the formats that OpenAI has, from what a provider says of times and speakers. Pure.

https://platform.openai.com/docs/api-reference/audio/json-object; https://www.w3.org/TR/webvtt1/, and SubRip like it
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass

TEXTS = ("text", "srt", "vtt")
LONGEST_CUE = 84
"""Characters: two lines of a subtitle."""
TOO_LONG_S = 1e9
PAUSE_S = 0.8
"""The silence that ends a cue."""
SENTENCE_ENDS = (".", "?", "!", "。", "？", "！")
UNKNOWN_SCORES: JSON = {
    "seek": 0,
    "tokens": [],
    "temperature": 0.0,
    "avg_logprob": 0.0,
    "compression_ratio": 0.0,
    "no_speech_prob": 0.0,
}
"""What only Whisper knows of a segment, and the SDK's type wants."""


class TimedText(NamedTuple):
    """A segment, or a word."""

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said; of times and speakers as much as is known."""

    text: str
    segments: Sequence[TimedText] = ()
    words: Sequence[TimedText] = ()
    language: str | None = None
    duration_s: float | None = None

    def timed_segments(self) -> Sequence[TimedText]:
        """Segments, made of the words where there are none."""
        return self.segments or join_words(self.words)


def read_spoken(found: Any, *names: str, speaker: str = "speaker", start: str = "start", end: str = "end") -> list[TimedText]:
    """Reads a provider's list of timed texts; a text is under the first of `names` that is there."""
    items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    return [
        TimedText(
            to_seconds(item.get(start)),
            to_seconds(item.get(end)),
            next((str(item[name]) for name in names if item.get(name) is not None), ""),
            None if item.get(speaker) is None else str(item[speaker]),
        )
        for item in items
    ]


def merge_channels(channels: Sequence[Sequence[TimedText]]) -> Sequence[TimedText]:
    """The words of all channels in order; who speaks is then known by the channel."""
    if len(channels) == 1:
        return channels[0]
    words = [word._replace(speaker=str(number)) for number, each in enumerate(channels) for word in each]
    return sorted(words, key=lambda word: word.start_s)


def to_seconds(value: Any) -> float:
    """The seconds that a number, a text with one, or Google's `1.5s` says; 0 for anything else, and for a time that no sound
    has."""
    if isinstance(value, bool):
        return 0.0
    try:
        found = float(value.removesuffix("s") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return found if 0.0 <= found < TOO_LONG_S else 0.0


def join_words(words: Sequence[TimedText]) -> list[TimedText]:
    """Words as segments, which end with a sentence, a pause, another speaker, or where they would be too long."""
    groups: list[list[TimedText]] = []
    for word in words:
        if not groups or (word.text.strip() and _ends(groups[-1], word)):
            groups.append([])
        groups[-1].append(word)
    return [TimedText(group[0].start_s, group[-1].end_s, _text(group), group[0].speaker) for group in groups]


def to_srt(cues: Iterable[TimedText]) -> str:
    shown = (
        f"{number}\n{_time(cue.start_s, ',')} --> {_time(cue.end_s, ',')}\n{cue.text.strip()}\n"
        for number, cue in enumerate(cues, 1)
    )
    return "\n".join(shown)


def to_vtt(cues: Iterable[TimedText]) -> str:
    shown = (f"{_time(cue.start_s, '.')} --> {_time(cue.end_s, '.')}\n{cue.text.strip()}\n" for cue in cues)
    return "\n".join(("WEBVTT\n", *shown))


def to_verbose(transcript: Transcript, task: str, granularities: Iterable[str]) -> JSON:
    """`verbose_json`: segments unless only words were asked for."""
    wanted = set(granularities) or {"segment"}
    body: JSON = {
        "task": task,
        "language": transcript.language or "",
        "duration": transcript.duration_s or 0.0,
        "text": transcript.text,
    }
    if "word" in wanted:
        body["words"] = [
            {"word": word.text.strip(), "start": word.start_s, "end": word.end_s} for word in transcript.words if word.text.strip()
        ]
    if "segment" in wanted:
        body["segments"] = [
            {"id": number, "start": each.start_s, "end": each.end_s, "text": each.text, **UNKNOWN_SCORES}
            for number, each in enumerate(transcript.timed_segments())
        ]
    return body


def to_diarized(transcript: Transcript) -> JSON:
    """`diarized_json`. Who is not known by name is A, B, and so on, in the order they speak."""
    timed = transcript.timed_segments()
    letters = {name: _letters(number) for number, name in enumerate(dict.fromkeys(each.speaker or "" for each in timed))}
    segments = [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number}",
            "start": each.start_s,
            "end": each.end_s,
            "text": each.text,
            "speaker": letters[each.speaker or ""],
        }
        for number, each in enumerate(timed)
    ]
    return {"task": "transcribe", "duration": transcript.duration_s or 0.0, "text": transcript.text, "segments": segments}


def _ends(group: Sequence[TimedText], word: TimedText) -> bool:
    before, text = group[-1], _text(group)
    if before.speaker != word.speaker or word.start_s - before.end_s >= PAUSE_S:
        return True
    return text.endswith(SENTENCE_ENDS) or len(text) + len(word.text) >= LONGEST_CUE


def _text(group: Sequence[TimedText]) -> str:
    """Words bring their own spaces, or none of them does."""
    spaced = any(word.text[:1].isspace() or word.text[-1:].isspace() for word in group)
    return ("" if spaced else " ").join(word.text for word in group).strip()


def _time(seconds: float, point: str) -> str:
    whole, ms = divmod(round(max(0.0, seconds) * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{ms:03}"


def _letters(number: int) -> str:
    """A to Z, then AA."""
    letters = ""
    while number >= 0:
        number, letter = divmod(number, 26)
        letters, number = chr(ord("A") + letter) + letters, number - 1
    return letters
