"""What a student is told about findings, by their codes: on the file and its evidence; and what checks say, too."""

from helpers.checks.hints import HINTS as OF_CHECKS

COMMON_HINTS = {
    # the file
    "no_training_seen": "When the notebook ran again, no training was seen that changes a model for the better.",
    "weights_from_elsewhere": "A model's weights at the end are none that its training made: say where they come from.",
    "drawn_untrained": "A picture was drawn of a model that was not trained: draw the models that you trained.",
    "rerun_share": "Not all cells ran when the notebook was run again: run all cells, and mend the first error.",
    "rerun_reaches": "The notebook reaches for what the assignment does not need: a person will ask what it is for.",
    "unreadable": "The file could not be read as a notebook: save it from Jupyter and hand it in again.",
    "file_name": "Name the file by yourself and the assignment, as max_mustermann_a1.ipynb for the first one.",
    "not_judged": "This is no verdict on your work: it could not be judged this time, and will be tried again.",
    "never_judged": "This is no verdict on your work: the program could not judge it, and a person will.",
    "several": "You handed in several notebooks for this assignment: hand in one, or say which of them counts.",
    "unopened": "What you handed in could not be opened: hand in the notebook itself, one .ipynb file.",
    "other_assignment": "This looks like the solution of another assignment: a person will look.",
    "no_assignment": "Nothing says which assignment this is: a person will look.",
    "decided": "A tutor decided this by hand.",
    "not_executed": "The notebook holds no outputs: run all cells, save, and hand in the saved file.",
    "order": "Cells were not executed once and in order: use Restart and Run All, then save.",
    "error_output": "A cell ends in an error: what follows it may rest on an older run.",
    "source_missing": "Outputs stand below a cell that cannot have made them: run the notebook again, and save it.",
    "stub": "A function or a region of the assignment is not filled in.",
    "rerun_error": "When run again from the top, the notebook stopped with an error.",
    "rerun_ended": "When run again, the notebook had to be stopped.",
    "rerun_differs": "Run again, the code gave another result than the file holds: run all cells, and save.",
    # evidence
    "numbers_missing": "No printed result was found: print ELBO, KL and NLL on the test set for every data set.",
    "results_missing": "Results were printed, but not of every data set: print ELBO, KL and NLL of each.",
    "figure_missing": "The figure of this task was not found among the outputs.",
    "figure_unseen": "Not all figures of this task were told among the outputs.",
    "numbers_contradict": "Two printed results of the same thing differ: a person must look which one is right.",
    "figure_blank": "The figure is blank: draw before you save or show it.",
    "figure_twice": "The same picture stands for two different tasks.",
    "panels_alike": "The panels of the figure all show the same picture: draw each with its own model and code.",
    "figure_panels": "The figure does not show the panels that the task asks for.",
    "picture_unsafe": "A picture could not be opened safely, so it was not looked at.",
    "text_missing": "The task asks for a written answer; none was found.",
    "out_of_band": "The printed result lies outside what honest runs reach: check the loss and the training.",
    "collapsed": "The KL is nearly 0: the latents carry nothing (posterior collapse). Check KL, noise and weights.",
    "not_decreasing": "The loss did not fall during training.",
    "not_trained": "No training of it was found among the executed cells.",
    "own_way": "Your functions have other names or signatures than the assignment's, so a person must look.",
    "unclear": "A check could not be decided.",
    # other assignments
    "picture_kind": "The figure is stored in a form that cannot be opened here (SVG, PDF, plotly): a person must look.",
    # mistakes that the checks of helpers know
    **OF_CHECKS,
}
