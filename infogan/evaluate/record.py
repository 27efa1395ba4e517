"""What the report and the explorer need to know to read a run's measurements.json.

`metrics` are numbers by name. `contingency` counts the test images by category of c1 and class,
and `category_to_class` is the one-to-one map fitted on training images. `roles` holds for each
factor the continuous code that stands for it, and its direction; `leakage` the rank correlation of
each continuous code with each shape or factor; `information` what each categorical code gives away
of each factor. What was not measured is left out.
"""

UNMATCHED = -1  # in `category_to_class`: more categories than classes

ROLE_NAMES = {"slant": "rotation", "width": "width"}  # the paper's words for what strokes do
