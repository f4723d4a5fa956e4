"""One task of an assignment, and the assignment: the types of the tables."""

from course.assignments.rubric import Assignment, Task

__all__ = ["Assignment", "Task"]
