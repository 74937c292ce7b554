"""The share of one of several processes that train together."""

from collections.abc import Iterator, Sized

import numpy as np

from ..errors import TensorError
from .generator import Generator
from .sampler import Sampler, at_least, flag


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th number of an order that all processes share, from `rank` on.

    Parameters
    ----------
    dataset : sized
    num_replicas, rank : int
        How many processes there are and which of them this is. Both are needed: there is no group of processes to ask.
    shuffle : bool
        Take the samples in an order that `seed` and `set_epoch` tell.
    seed : int
    drop_last : bool
        Leave out numbers at the end so that all processes have as many; otherwise some come twice.

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
            raise TensorError(op, "num_replicas and rank (there is no group of processes to ask)", f"{num_replicas}, {rank}")
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
        """Choose the order of an epoch; every process must be told the same."""
        self.epoch = at_least(0, "set_epoch", "epoch", epoch)

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        order = Generator(self.seed + self.epoch).permutation(n) if self.shuffle else np.arange(n)
        if n:
            order = np.resize(order, self.total_size)  # cut, or filled up from the start
        return iter(order[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples
