"""Every test starts from the same seed and leaves torch's threads and the environment as it found them."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.delenv("QUICK", raising=False)
    torch.manual_seed(0)
