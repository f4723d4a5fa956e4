"""Every test starts from the same seed and leaves torch's threads and the environment as it found them."""

from collections.abc import Iterator

import pytest


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
