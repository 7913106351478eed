"""The course's parts of notebook 03 do what their exercises say; the student's own come first."""

import torch

from course_utils import checks
from course_utils.checks.tensors import draw

look = checks.multimodal_fusion_ecg


def test_the_courses_transformer_does_what_the_exercise_says():
    course = look.COURSE_PARTS["FusionTransformer"]
    look.assert_fusion_transformer(course, [3, 7], 8, 2, 2)
    look.assert_all_heads(course)


def test_the_courses_sigmoid_loss_does_what_the_exercise_says():
    number = torch.tensor([0, 1, 0, 2])
    same = number[:, None] == number[None, :]
    course = look.COURSE_PARTS["siglip_loss"]
    look.assert_siglip(course, draw(4, 3, seed=1), draw(4, 3, seed=2), same, 0.8, -0.6)
    look.assert_siglip_zero(course, draw(4, 3, seed=1), draw(4, 3, seed=2))


def test_what_is_not_written_yet_is_the_courses(capsys):
    parts = look.parts({}, "siglip_loss")
    assert parts.siglip_loss is look.COURSE_PARTS["siglip_loss"]
    assert (
        "The course's, until the check of yours is right: siglip_loss." in capsys.readouterr().out
    )
