"""Runs inside the sandbox, alone: execute a submission's cells, then do what the grader asks, one thing at a time.

Nothing here knows a right answer, a seed, or what will be asked next: each question brings its inputs, and the grader's
own process, outside, draws them and judges what comes back. So a submission that reads these files, or changes them
while it runs, learns what can be asked, no more; what it answers is its own affair, as its functions are. They import
the standard library, numpy and torch (and what a notebook imports: matplotlib, torchvision), never the project.

``main`` is the process. ``notebook`` executes cells, on a ``machine`` that looks like the one they were written for,
with ``absent`` modules; ``watch`` sees them train. ``models``, ``stubs``, ``drawings`` and ``others`` are the acts.
"""
