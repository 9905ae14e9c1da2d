"""Messages between the parent and the children of the pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Task, int], Result]
"""Does one task and returns its result. The second argument is the number of processes that died over the task."""


@dataclass(frozen=True)
class MakeMessage(Generic[Task, Result]):
    """The first message to a child: how to make the function that does a task.

    Attributes:
        make: called once with the number of threads; returns the function.
    """

    make: Callable[[int], Work[Task, Result]]


@dataclass(frozen=True)
class TaskMessage(Generic[Task]):
    """A task for a child.

    Attributes:
        number: number of the task in this child, from 1 on.
        task: the task.
        deaths: number of processes that died over the task.
    """

    number: int
    task: Task
    deaths: int


@dataclass(frozen=True)
class Started:
    """A message to the parent that the child runs and has called ``make``."""


@dataclass(frozen=True)
class Answer(Generic[Result]):
    """A message to the parent that a task is done.

    Attributes:
        number: number of the task.
        result: result of the task.
    """

    number: int
    result: Result


@dataclass(frozen=True)
class Failure:
    """A message to the parent that a task raised an error.

    Attributes:
        number: number of the task.
        error: the error.
    """

    number: int
    error: Exception
