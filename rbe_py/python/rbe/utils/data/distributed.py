"""`rbe.data.distributed` under torch's name."""

from ...data.distributed import DistributedSampler

__all__ = ["DistributedSampler"]
