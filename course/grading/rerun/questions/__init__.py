"""What a submission is asked after its run, and by which numbers: the grader's side, outside the sandbox.

Every input is drawn here, from a seed that never leaves this process, and goes over one at a time; what comes back is
put into the form that the checks by behaviour judge. The questions of an assignment are in the module that bears its
key, if there is one: ``questions(ask)`` yields names and functions that ask. ``common`` holds those that are asked
wherever a function of that name is.
"""
