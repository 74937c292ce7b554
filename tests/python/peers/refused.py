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
    "nn.functional.avg_pool3d": WINDOWS,
    "nn.functional.batch_norm": "an empty tensor of one axis has no axis of channels",
    "nn.functional.conv1d": WINDOWS,
    "nn.functional.conv2d": WINDOWS,
    "nn.functional.conv3d": WINDOWS,
    "nn.functional.conv_transpose1d": WINDOWS,
    "nn.functional.conv_transpose2d": WINDOWS,
    "nn.functional.interpolate.area": "means of parts are taken over one or two axes",
    "nn.functional.max_pool2d": WINDOWS,
    "nn.functional.max_pool3d": WINDOWS,
    "nn.functional.grid_sample": "bicubic weights are for two axes",
    "nn.functional.pad.replicate_negative": "an edge that is cropped away whole leaves nothing to repeat",
    "nn.functional.unfold": WINDOWS,
}

# Modules likewise.
REFUSED_MODULES: dict[str, str] = {}

# Operations of the database that have no sample of a type that rbe has.
NOT_COMPARABLE: dict[str, str] = {
    "nn.functional.batch_norm.without_cudnn": "for GPUs",
    "nn.functional.silu.complex": "for complex numbers",
    "nn.functional.triplet_margin_with_distance_loss": "its samples have distances that are functions of torch",
}

SIGNS = "vectors are determined up to their sign: test_torch_linalg.py compares what does not depend on it"
TRIANGLE = "torch gives a gradient to the triangle that is not read: test_torch_linalg.py compares that of the other"

# Operations whose results cannot be compared one by one.
UNDETERMINED = {
    "cholesky_inverse": TRIANGLE,
    "cholesky_solve": TRIANGLE,
    "linalg.eigh": SIGNS,
    "linalg.pinv.hermitian": TRIANGLE,
    "linalg.svd": SIGNS,
    "svd": SIGNS,
}
