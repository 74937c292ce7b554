"""The operations that every backend has."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

__all__ = ["Array", "Backend", "CGResult"]

Array: TypeAlias = Any  # of the library that the backend computes with


class CGResult(NamedTuple):
    """What conjugate gradients found.

    Attributes
    ----------
    x : array (n)
        The approximate solution.
    iterations : int
        Products with the matrix that were taken.
    residual : float
        Norm of `b - A x`, as the recurrence computes it.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> rbe.backend.get("cpu").cg(np.eye(2), np.ones(2)).iterations
    1
    """

    x: Array
    iterations: int
    residual: float


@runtime_checkable
class Backend(Protocol):
    """The operations that every backend has.

    Matrices, vectors and stacks are arrays of float32 or float64 of the backend's own library, and the operands of one call
    have one dtype; indices are int64. `to_device` makes such arrays. Results are new arrays: no operand is ever written to.
    Sums of everything are arrays without axes, so that they stay on the device; `float()` fetches them.

    Every method raises `DTypeError` for operands of other libraries or dtypes and `ShapeError` for shapes that do not match.

    Examples
    --------
    >>> import numpy as np, rbe
    >>> backend = rbe.backend.get("cpu")
    >>> isinstance(backend, rbe.backend.Backend)
    True
    >>> backend.gemv(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones(2), tA=True)
    array([4., 6.])
    """

    name: str

    # Arrays

    def owns(self, x: Any) -> bool:
        """Return whether `x` is an array that this backend computes with."""
        ...

    def dtype_of(self, x: Array) -> str:
        """Return the name of the dtype: "float32", "float64" or "int64"."""
        ...

    def to_device(self, x: Any, dtype: str | None = None) -> Array:
        """Return `x` (array, list or number) as an array of this backend, of `dtype` if given.

        Floats other than float32 become float64, integers int64. An array that fits already is returned as it is.
        """
        ...

    def to_host(self, x: Array) -> Any:
        """Return an array as a NumPy array, without a copy where the memory is the host's."""
        ...

    def zeros(self, shape: int | tuple[int, ...], dtype: str = "float64") -> Array:
        """Return zeros."""
        ...

    def ones(self, shape: int | tuple[int, ...], dtype: str = "float64") -> Array:
        """Return ones."""
        ...

    def eye(self, n: int, dtype: str = "float64") -> Array:
        """Return the identity matrix (n, n)."""
        ...

    def concat(self, arrays: Sequence[Array], axis: int = 0) -> Array:
        """Return arrays joined along an axis."""
        ...

    def take(self, X: Array, indices: Array) -> Array:
        """Return the entries of X (n, …) at `indices` (int64, any shape) of the first axis."""
        ...

    def reshape(self, X: Array, shape: tuple[int, ...]) -> Array:
        """Return X in another shape of as many elements, without a copy where its strides allow."""
        ...

    # Vectors and matrices

    def dot(self, x: Array, y: Array) -> Array:
        """Return `Σ x y` of two vectors (n)."""
        ...

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        """Return `alpha x + y` of two arrays of one shape."""
        ...

    def scal(self, alpha: float, x: Array) -> Array:
        """Return `alpha x`."""
        ...

    def nrm2(self, x: Array) -> Array:
        """Return `√Σ x²` over all elements."""
        ...

    def asum(self, x: Array) -> Array:
        """Return `Σ |x|` over all elements."""
        ...

    def amax(self, x: Array) -> Array:
        """Return `max |x|` over all elements, of which there must be one."""
        ...

    def gemv(
        self, A: Array, x: Array, tA: bool = False, alpha: float = 1.0, beta: float = 0.0, *, y: Array | None = None
    ) -> Array:
        """Return `alpha op(A) x + beta y`, where op transposes A if `tA`; `y` is needed only where `beta` is not 0."""
        ...

    def gemm(
        self,
        A: Array,
        B: Array,
        tA: bool = False,
        tB: bool = False,
        alpha: float = 1.0,
        beta: float = 0.0,
        C: Array | None = None,
    ) -> Array:
        """Return `alpha op(A) op(B) + beta C` (m, n), where op transposes A if `tA` and B if `tB`."""
        ...

    def batched_gemm(
        self,
        A: Array,
        B: Array,
        tA: bool = False,
        tB: bool = False,
        alpha: float = 1.0,
        beta: float = 0.0,
        C: Array | None = None,
    ) -> Array:
        """As `gemm` for matrices in the last two axes; A (…, m, k) and B (…, k, n) have equal leading axes and any strides."""
        ...

    # Element by element

    def multiply(self, X: Array, Y: Array) -> Array:
        """Return `X Y`, element by element; shapes broadcast."""
        ...

    def divide(self, X: Array, Y: Array) -> Array:
        """Return `X / Y`, element by element; shapes broadcast."""
        ...

    def minimum(self, X: Array, Y: Array) -> Array:
        """Return the lesser of X and Y, element by element; shapes broadcast."""
        ...

    def add_bias(self, X: Array, b: Array) -> Array:
        """Return X (n, m) with b (m) added to every row."""
        ...

    def clip(self, X: Array, low: float | None = None, high: float | None = None) -> Array:
        """Return X with every element moved into [low, high]."""
        ...

    def exp(self, X: Array) -> Array:
        """Return `e^X`."""
        ...

    def log(self, X: Array) -> Array:
        """Return the natural logarithm."""
        ...

    def sqrt(self, X: Array) -> Array:
        """Return the square root."""
        ...

    def sigmoid(self, Z: Array) -> Array:
        """Return `1 / (1 + e^-Z)`, for any Z without overflow."""
        ...

    def prox_soft_threshold(self, w: Array, tau: float) -> Array:
        """Return `sign(w) max(|w| - tau, 0)`, the proximal operator of `tau ‖w‖₁`; tau is not negative."""
        ...

    # Reductions

    def sum(self, X: Array, axis: int | None = None) -> Array:
        """Return sums along an axis, or of everything."""
        ...

    def mean(self, X: Array, axis: int | None = None) -> Array:
        """Return means along an axis, or of everything."""
        ...

    def softmax(self, Z: Array, axis: int = -1) -> Array:
        """Return `e^Z / Σ e^Z` along an axis, without overflow."""
        ...

    def logsumexp(self, Z: Array, axis: int = -1) -> Array:
        """Return `log Σ e^Z` along an axis, without overflow."""
        ...

    def argmin(self, X: Array, axis: int = -1) -> Array:
        """Return the positions (int64) of the smallest elements along an axis, of equal ones the first."""
        ...

    def topk(self, X: Array, k: int, largest: bool = True) -> tuple[Array, Array]:
        """Return the k largest (smallest) elements along the last axis, in order, and their positions (int64).

        Which of equal elements are taken is not defined.
        """
        ...

    def histogram(self, index: Array, weights: Array, bins: int) -> Array:
        """Return the sum of the weights (n) or (n, m) of every bin: (bins) or (bins, m).

        `index` (n, int64) has the bin of each row. Raises `OutOfRangeError` for a bin that is not there.
        """
        ...

    def pairwise_distance(self, X: Array, Y: Array, squared: bool = False) -> Array:
        """Return the Euclidean distances (n, m) of the rows of X (n, d) from the rows of Y (m, d), through one `gemm`.

        The squares come from `‖x‖² + ‖y‖² - 2 x·y` and are as exact as the largest of the three: distances that are small
        beside the norms lose digits.
        """
        ...

    # Linear systems

    def cholesky(self, A: Array) -> Array:
        """Return the lower triangular L of `A = L Lᵀ`; `TensorError` unless the symmetric A (n, n) is positive definite."""
        ...

    def qr(self, A: Array) -> tuple[Array, Array]:
        """Return Q (m, n) with orthonormal columns and the upper triangular R (n, n) of `A = Q R`, m ≥ n."""
        ...

    def triangular_solve(self, T: Array, b: Array, lower: bool = True, transpose: bool = False) -> Array:
        """Return the solution of `T x = b`, or of `Tᵀ x = b`, for b (n) or (n, m); `TensorError` for a zero on the diagonal."""
        ...

    def cholesky_solve(self, A: Array, b: Array) -> Array:
        """Return the solution of `A x = b` for a positive definite A, by its Cholesky factor."""
        ...

    def qr_solve(self, A: Array, b: Array) -> Array:
        """Return the x with the least `‖A x - b‖` for A (m, n) of full column rank, by QR; `TensorError` for another."""
        ...

    def cg(
        self,
        A: Array | Callable[[Array], Array],
        b: Array,
        x0: Array | None = None,
        tol: float = 1e-6,
        max_iter: int | None = None,
    ) -> CGResult:
        """Solve `A x = b` by conjugate gradients, for a positive semi-definite A.

        Parameters
        ----------
        A : array (n, n), or a function that multiplies a vector by the matrix
        b : array (n)
        x0 : array (n), optional
            Start; default zeros, from which a singular system leads to its shortest solution.
        tol : float
            Stop when the residual's norm is at most `tol ‖b‖`.
        max_iter : int, optional
            Default: 10 n.
        """
        ...
