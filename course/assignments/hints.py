"""What a student is told about findings that checks of several assignments share, by their codes."""

COMMON_HINTS = {
    # the file
    "unreadable": "The file could not be read as a notebook: save it from Jupyter and hand it in again.",
    "file_name": "Name the file name_surname_a1.ipynb: the tutors find you by it.",
    "not_executed": "The notebook holds no outputs: run all cells, save, and hand in the saved file.",
    "order": "Cells were not executed once and in order: use Restart and Run All, then save.",
    "error_output": "A cell ends in an error: what follows it may rest on an older run.",
    "rerun_error": "When run again from the top, the notebook stopped with an error.",
    "rerun_ended": "When run again, the notebook had to be stopped.",
    "forged": "The output carries marks that only our own helpers write, and they do not fit the picture.",
    # evidence
    "numbers_missing": "No printed result was found: print ELBO, KL and NLL on the test set for every data set.",
    "figure_missing": "The figure of this task was not found among the outputs.",
    "figure_blank": "The figure is blank: draw before you save or show it.",
    "figure_twice": "The same picture stands for two different tasks.",
    "figure_panels": "The figure does not show the panels that the task asks for.",
    "picture_unsafe": "A picture could not be opened safely, so it was not looked at.",
    "text_missing": "The task asks for a written answer; none was found.",
    "out_of_band": "The printed result lies outside what honest runs reach: check the loss and the training.",
    "not_decreasing": "The loss did not fall during training.",
    "own_way": "Your functions have other names or signatures than the assignment's, so a person must look.",
    "unclear": "A check could not be decided.",
    # KL
    "kl_no_half": "KL: the factor 1/2 is missing; it is 1/2 sum(mu^2 + sigma^2 - log sigma^2 - 1).",
    "kl_half_twice": "KL: the factor 1/2 stands twice.",
    "kl_sign": "KL: it has the wrong sign; a divergence is never negative.",
    "kl_mean_latents": "KL: sum over the latent dimensions, then average over the batch; you averaged over both.",
    "kl_sum_batch": "KL: it is summed over the batch while the NLL is averaged, a hidden beta: average both.",
    "kl_log2": "KL: it is in bits; use natural logarithms, as for the NLL.",
    "kl_wrong": "KL: it is not the divergence of your own q(z|x), as its samples show it, from N(0, I).",
    # posterior samples
    "no_noise": "Reparameterization: z has no noise; z = mu + sigma * eps with eps ~ N(0, I).",
    "shared_noise": "Reparameterization: one noise for the whole batch; draw eps for every example (randn_like).",
    "shared_noise_latents": "Reparameterization: the same eps for all latent dimensions; draw one for each.",
    "not_normal": "Reparameterization: the noise is not normal; use torch.randn_like, not rand.",
    "logvar_as_std": "The log-variance is used as a standard deviation: sigma = exp(0.5 * logvar).",
    "std_no_half": "sigma = exp(0.5 * logvar): the 1/2 is missing in sampling, or the KL takes another sigma.",
    "gradient_cut": "The gradient does not pass through the sampling: no detach, no no_grad, no .sample().",
    # NLL
    "nll_mean_features": "NLL: averaged over features or pixels; sum over them, then average over the batch.",
    "nll_sign": "NLL: wrong sign; it is minus the log-likelihood.",
    # ELBO
    "elbo_sign": "ELBO: wrong sign; ELBO = -(NLL + KL).",
    "elbo_kl_sign": "ELBO: the KL is subtracted from the bound, not added: ELBO = -NLL - KL.",
    "elbo_wrong": "ELBO: it is not -(NLL + KL).",
    # decoder and samples
    "shape": "A result has another shape than the assignment says.",
    "not_prior": "sample: its codes do not come from the prior N(0, I).",
    "sigmoid_missing": "The sigmoid is missing: decoded images leave [0, 1].",
    # training
    "zero_grad": "Training: gradients add up over steps; call optimizer.zero_grad() before each backward().",
    "beta_on_nll": "Training: beta multiplies the reconstruction term; it belongs to the KL.",
    "beta_ignored": "Training: beta has no effect on the loss.",
    "trains_on_test": "Training: the test set is used for training.",
    "not_finite": "The loss became NaN or infinite in training: lower the learning rate, or bound the log-variance.",
    # part B
    "grid_flipped": "Grid: upside down; the second latent grows upwards on the axis, but downwards in the picture.",
    "grid_mirrored": "Grid: mirrored; the first latent grows to the left.",
    "grid_transposed": "Grid: the two latents are swapped.",
    "grid_wrong": "Grid: the cells do not show the decoded grid points.",
    "interpolation_end": "Interpolation: it never reaches its end; t runs from 0 to 1, both included.",
    "interpolation_start": "Interpolation: it does not start at the first image's code.",
    "interpolation_uneven": "Interpolation: the steps are not even, or not on the straight line.",
    "interpolation_pixels": "Interpolation: pixels are blended; interpolate the codes, then decode.",
    "interpolation_reversed": "Interpolation: it runs from the second image to the first.",
    # other assignments
    "recon_reduction": "Reconstruction: another reduction than the assignment's.",
    "picture_kind": "The figure is stored in a form that cannot be opened here (SVG, PDF, plotly): a person must look.",
}
