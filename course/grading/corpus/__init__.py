"""Submissions for the grader's tests: an honest one, mistakes to put into it, and ways to differ honestly."""
