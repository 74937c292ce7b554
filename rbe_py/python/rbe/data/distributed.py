"""A sampler for one of several processes that train together."""

from collections.abc import Iterator, Sized

import numpy as np

from ..errors import TensorError
from .generator import Generator
from .sampler import Sampler, at_least, flag


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index, starting at `rank`, of an order that all processes share.

    Parameters
    ----------
    dataset : sized
    num_replicas, rank : int
        Number of processes, and the number of this one. Both are required, because rbe has no process groups.
    shuffle : bool
        Shuffle the samples; `seed` and `set_epoch` determine the order.
    seed : int
    drop_last : bool
        Drop indices at the end so that all processes have equally many; otherwise some indices are repeated.

    Raises
    ------
    TensorError
        Without `num_replicas` and `rank`, or for a rank outside 0 … num_replicas - 1.

    Examples
    --------
    >>> import rbe
    >>> list(rbe.data.DistributedSampler(range(7), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 5, 0]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        op = "DistributedSampler"
        if num_replicas is None or rank is None:
            raise TensorError(op, "num_replicas and rank (rbe has no process group)", f"{num_replicas}, {rank}")
        self.num_replicas = at_least(1, op, "num_replicas", num_replicas)
        self.rank = at_least(0, op, "rank", rank)
        if self.rank >= self.num_replicas:
            raise TensorError(op, f"a rank from 0 to {self.num_replicas - 1}", str(rank))
        self.dataset, self.shuffle, self.seed = dataset, flag(op, "shuffle", shuffle), at_least(0, op, "seed", seed)
        self.drop_last, self.epoch = flag(op, "drop_last", drop_last), 0

    @property
    def num_samples(self) -> int:
        """Samples of this process in an epoch."""
        n = len(self.dataset)
        return n // self.num_replicas if self.drop_last else -(-n // self.num_replicas)

    @property
    def total_size(self) -> int:
        """Samples of all processes in an epoch."""
        return self.num_samples * self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the order; all processes must set the same one."""
        self.epoch = at_least(0, "set_epoch", "epoch", epoch)

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        order = Generator(self.seed + self.epoch).permutation(n) if self.shuffle else np.arange(n)
        if n:
            order = np.resize(order, self.total_size)  # truncated, or padded with indices from the start
        return iter(order[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples
