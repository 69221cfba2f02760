"""Other ways to estimate performance without labels, under the names that the field has for them: a second opinion.

They work on rows (a :class:`~barograph.sketches.sample.Sample` of a profile will do) and know binary models; `dle` also
regressions. Each is a function that learns from labelled reference rows and returns the estimator, a function of
current rows: ``estimate = cbpe(Rows.of(reference.sample)); estimate(Rows.of(current.sample))["accuracy"]``.

===================== ===================================================== ==================== =====================
estimator             idea                                                  metrics              assumes
===================== ===================================================== ==================== =====================
`cbpe`                score calibrated on the reference                     all                  calibration holds
`pape`                the same, re-weighted to look like the current rows   all                  covariate shift
`importance_weighting` reference metrics, re-weighted likewise              all                  covariate shift
`dle`                 a model of the label (or of the loss) from x and f(x) all                  covariate shift
`atc`                 share of rows above a confidence threshold            accuracy             none that can hold
`doc`                 change of the mean confidence                         accuracy             none that can hold
`cot`                 scores sorted, with the share of positives known      accuracy             known share
`label_shift`         P(x | y) is fixed, only the share of positives moves  all                  label shift
===================== ===================================================== ==================== =====================

The cell estimates of `barograph.estimation` need none of these. Where two estimators disagree by
more than their intervals (`disagreement`), the kind of shift is uncertain.
"""
