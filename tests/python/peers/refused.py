"""Operations and modules of which rbe refuses some calls that torch takes, by a typed error, and why."""

WINDOWS = "operations on windows are for floats"

NO_INT32 = "places are int64"
FRACTIONS = "factors with a fraction would be truncated for integers"

REFUSED: dict[str, str] = {
    "addbmm": FRACTIONS,
    "addmv": FRACTIONS,
    "baddbmm": FRACTIONS,
    "bucketize": NO_INT32,
    "searchsorted": NO_INT32,
    "nn.functional.avg_pool1d": WINDOWS,
    "nn.functional.avg_pool2d": WINDOWS,
    "nn.functional.batch_norm": "an empty tensor of one axis has no axis of channels",
    "nn.functional.conv1d": WINDOWS,
    "nn.functional.conv2d": WINDOWS,
    "nn.functional.conv_transpose1d": WINDOWS,
    "nn.functional.conv_transpose2d": WINDOWS,
    "nn.functional.interpolate.area": "means of parts are taken over one or two axes",
    "nn.functional.max_pool2d": WINDOWS,
    "nn.functional.pad.replicate_negative": "an edge that is cropped away whole leaves nothing to repeat",
    "nn.functional.unfold": WINDOWS,
    "norm.nuc": "there are no singular values here",
}

# Modules likewise.
REFUSED_MODULES: dict[str, str] = {}

# Operations of the database that have no sample of a type that rbe has.
NOT_COMPARABLE: dict[str, str] = {
    "nn.functional.batch_norm.without_cudnn": "for GPUs",
    "nn.functional.silu.complex": "for complex numbers",
    "nn.functional.triplet_margin_with_distance_loss": "its samples have distances that are functions of torch",
}
