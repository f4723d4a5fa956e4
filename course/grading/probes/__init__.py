"""Runs inside the sandbox, alone: execute a submission's cells, try its functions, send back raw numbers.

Nothing here knows a right answer: it sends what the functions returned for the inputs that they were given, and the
grader's own process judges. So a submission that reads these files learns what is asked, no more. They import the
standard library, numpy and torch (and what a notebook imports: matplotlib, torchvision, IPython), never the project.

``main`` runs a job (``job.json``): ``cells`` (sources), ``mode`` (``"full"``, or ``"definitions"``: imports, functions,
classes and constants only, for notebooks whose training does not end in time), ``assignment``, ``seed``. The probes of
an assignment are in the module that bears its key, if there is one: ``probes(notebook)`` yields names and functions to
call. ``common`` holds the ones that are tried wherever a function of that name is.
"""
