"""Words of a call: what happened in one sentence, where the rest is, which digit to press."""

from __future__ import annotations

from notifiers.facts import exercise_word
from notifiers.messages import Letter, Spoken

ACKNOWLEDGING_DIGIT = "1"
_LONGEST = 600  # characters of the sentence: forty seconds, said twice
_AGAIN = {
    "vi": "Đây là cuộc gọi tự động lần thứ {nth} của {sender}, vì chưa có ai trả lời.",
    "en": "This is automatic call number {nth} from {sender}, because nobody has answered yet.",
}
_FIRST = {"vi": "Đây là cuộc gọi tự động của {sender}.", "en": "This is an automatic call from {sender}."}
_FRAMES = {
    "vi": (
        "{caller} {subject}. Nội dung đầy đủ đã được gửi bằng tin nhắn và thư điện tử.",
        "Bấm phím 1 để xác nhận đã nghe.",
        "Cảm ơn. Đã ghi nhận.",
        "Phím không đúng. Tạm biệt.",
    ),
    "en": (
        "{caller} {subject}. The full text was sent to you by SMS and mail.",
        "Press 1 to confirm that you have heard this.",
        "Thank you. This has been noted.",
        "That was not the right key. Goodbye.",
    ),
}


def spoken(letter: Letter, sender: str, language: str, nth: int = 1) -> Spoken:
    """The call that stands for a letter. An exercise says so in its very first word.

    ``nth``: which call about the same it is; who picks up the second one may have missed the first.
    """
    frame, prompt, thanks, _ = _FRAMES[language]
    subject = " ".join(letter.subject.split())[:_LONGEST].rstrip(" .")
    caller = (_FIRST if nth <= 1 else _AGAIN)[language].format(sender=sender, nth=nth)
    text = frame.format(caller=caller, subject=subject)
    word = exercise_word(language)
    return Spoken(f"{word}. {text}" if subject.startswith(f"{word}:") else text, prompt, thanks)


def reply(language: str, *, acknowledged: bool) -> str:
    """What is said after a digit."""
    _, _, thanks, wrong = _FRAMES.get(language, _FRAMES["en"])
    return thanks if acknowledged else wrong
