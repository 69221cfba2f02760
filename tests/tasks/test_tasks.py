"""What is known of each task."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.sketches.scores import NEGATIVE, NO, NONE, OTHER, OTHER_LABEL, PENDING, POSITIVE, YES
from barograph.spec.schema import Schema
from barograph.tasks import Task, with_classes


def test_the_positive_class_of_two_is_the_only_question() -> None:
    schema = Schema(task=Task.BINARY, classes=("fine", "late"), scores={"late": "p"})
    assert (schema.questions, schema.score) == (("late",), "p")
    predicted, true = np.array([0, 1, 2, 3, -1]), np.array([0, 1, 2, 3, 1])
    said, answers = schema.task.classes.answers(0, predicted, true, 2)
    assert said.tolist() == predicted.tolist()  # the kernel of scores knows positions
    assert answers.tolist() == [NEGATIVE, POSITIVE, OTHER_LABEL, PENDING, POSITIVE]


def test_each_of_several_classes_is_a_question() -> None:
    schema = Schema(task=Task.MULTICLASS, classes=("a", "b", "c"), scores={"a": "p"})
    assert (schema.questions, schema.score) == (("a", "b", "c"), None)
    said, answers = schema.task.classes.answers(1, np.array([0, 1, 3, 4]), np.array([1, 2, 3, 4]), 3)
    assert said.tolist() == [NO, YES, OTHER, NONE]
    assert answers.tolist() == [POSITIVE, NEGATIVE, NEGATIVE, PENDING]  # a label that is no class is not this one


def test_the_class_of_the_highest_score_follows_where_all_are_known() -> None:
    scores = np.array([[0.2, 0.5, 0.3], [np.nan, 0.5, 0.4], [0.4, 0.4, 0.2]])
    assert Task.MULTICLASS.classes.by_scores(scores).tolist() == [1, 4, 0]


def test_numbers_have_no_classes() -> None:
    assert Schema(task=Task.REGRESSION).questions == ()
    with pytest.raises(TypeError, match="a regression has no classes"):
        _ = Task.REGRESSION.classes


@pytest.mark.parametrize("task", Task)
def test_a_loss_needs_both_and_is_zero_where_they_are_equal(task: Task) -> None:
    said, true = np.array([1.0, 1.0, np.nan, 2.0]), np.array([1.0, 3.0, 1.0, np.nan])
    loss = task.facts.loss(said, true)
    assert loss[0] == 0.0
    assert loss[1] == (2.0 if task.numeric else 1.0)
    assert np.isnan(loss[2:]).all()


def test_the_number_of_classes_says_which_task_it_is() -> None:
    assert [with_classes(n) for n in (1, 2, 3, 99)] == [Task.BINARY, Task.BINARY, Task.MULTICLASS, Task.MULTICLASS]
