"""Every test starts from the same seed and leaves torch's threads and the environment as it found them."""

import gc
from collections.abc import Iterator

import pytest


def pytest_collection_finish() -> None:
    """Keep the garbage collector from what has been imported: it would look through all of that again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import torch  # here, for the main process of xdist runs no test

    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.delenv("QUICK", raising=False)
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
