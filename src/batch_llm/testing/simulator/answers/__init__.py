"""What the simulated models say."""

from .answers import Answers, EchoAnswers

__all__ = ["Answers", "EchoAnswers"]
