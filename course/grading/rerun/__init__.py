"""Run a submission again in a sandbox, try its functions there, and judge the answers.

This folder may be deleted as a whole: the grader reaches it by its name alone, and refuses ``--rerun`` without it.
"""

from course.grading.rerun.again import rerun
from course.grading.rerun.digits import digits
from course.grading.rerun.sandbox import SandboxError, isolation

__all__ = ["SandboxError", "digits", "isolation", "rerun"]
