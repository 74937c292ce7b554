"""Data sets and helpers of the tests of worker processes."""

from rbe.data import DataLoader, Dataset, IterableDataset, get_worker_info


class Made(Dataset):
    """Samples by a function of their number."""

    def __init__(self, make, n=12):
        self.make, self.n = make, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.make(i)


class Yields(IterableDataset):
    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        info = get_worker_info()
        return iter(self.samples if info is None else self.samples[info.id :: info.num_workers])


def same(i):
    return i


def as_it_is(batch):
    return batch


def fail(error):
    raise error


def fails_at(number, make_error):
    return Made(lambda i: fail(make_error()) if i == number else i)


def forked(dataset, *args, **kwargs):
    return DataLoader(dataset, *args, **{"num_workers": 1, "multiprocessing_context": "fork", **kwargs})


def values(loader):
    return [batch.tolist() for batch in loader]
