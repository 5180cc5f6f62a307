"""What the simulated models say."""

from .answers import Answers, close_answers
from .auto import AutoAnswers
from .echo import EchoAnswers
from .function import FunctionAnswers
from .local import LocalAnswers
from .named import AnswersSource, answers_from, answers_named
from .recorded import RecordedAnswers
from .schema import SchemaAnswers
from .table import TableAnswers

__all__ = [
    "Answers",
    "AnswersSource",
    "AutoAnswers",
    "EchoAnswers",
    "FunctionAnswers",
    "LocalAnswers",
    "RecordedAnswers",
    "SchemaAnswers",
    "TableAnswers",
    "answers_from",
    "answers_named",
    "close_answers",
]
