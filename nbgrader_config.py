"""nbgrader: solutions/ in, notebooks/ out."""

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.converters.autograde import Autograde
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ComputeChecksums,
    Execute,
    IncludeHeaderFooter,
    LockCells,
    SaveCells,
)

from classroom.authoring.preprocessors import (
    ClearAnswers,
    ExecuteAnswers,
    GetScores,
    HideChecks,
    TagForStudents,
)

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "attention-in-medicine"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.directory_structure = "{nbgrader_step}/{student_id}/{assignment_id}"
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "*.py",
    "feedback",
    ".*",
]

c.GenerateAssignment.preprocessors = [
    IncludeHeaderFooter,
    LockCells,
    ClearAnswers,
    TagForStudents,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
]
c.ClearSolutions.text_stub = "*Your answer here.*"

usual = Autograde.class_traits()["autograde_preprocessors"].default()
c.Autograde.autograde_preprocessors = [ExecuteAnswers if p is Execute else p for p in usual]
c.ExecuteAnswers.timeout = 120
c.ExecuteAnswers.allow_errors = True

c.GenerateFeedback.preprocessors = [GetScores, HideChecks, CSSHTMLHeaderPreprocessor]
c.ExportApp.plugin_class = "classroom.gradebook.export.CsvExport"
