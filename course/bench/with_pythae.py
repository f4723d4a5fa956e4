"""Our networks under pythae's own trainer, where pythae is installed: ``pip install --no-deps pythae imageio``.

Source: Chadebec, Vincent and Allassonnière, "Pythae: Unifying Generative Autoencoders in Python", 2022. Its last
release, 0.1.2, is of 6 September 2023.
"""

import contextlib
import importlib.util
import logging
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from helpers import mnist_conv_vae
from helpers.core.data import ImageSet

RELEASE = "pythae 0.1.2, of September 2023"


def is_installed() -> bool:
    return importlib.util.find_spec("pythae") is not None


def train(
    model: Any, dataset: Any, num_epochs: int, batch_size: int, ends: Callable[[nn.Module], bool] | None = None
) -> nn.Module:
    """Train one of pythae's models as its trainer does by default: Adam with a step of 0.001.

    Args:
        ends: called with the model after every epoch; training ends where it says so.
    """
    from pythae.trainers import BaseTrainer, BaseTrainerConfig  # pyright: ignore[reportMissingImports]

    with quiet(), tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, num_epochs=num_epochs, learning_rate=1e-3, per_device_train_batch_size=batch_size
        )
        trainer = BaseTrainer(model, dataset, training_config=config)
        trainer.prepare_training()
        for epoch in range(1, num_epochs + 1):
            trainer.train_step(epoch)
            if ends is not None and ends(model):
                break
    return model


def train_mnist_vae(data: ImageSet, num_epochs: int) -> nn.Module:
    """Train pythae's own VAE of 784-512-2."""
    with quiet():
        from pythae.data.datasets import BaseDataset  # pyright: ignore[reportMissingImports]
        from pythae.models import VAE, VAEConfig  # pyright: ignore[reportMissingImports]

        model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=2, reconstruction_loss="mse"))
        return train(model, BaseDataset(data.train_x, data.train_y), num_epochs, 512)


def train_conv_vae(
    network: mnist_conv_vae.VAE, data: ImageSet, num_epochs: int, batch_size: int,
    ends: Callable[[mnist_conv_vae.VAE], bool],
) -> None:  # fmt: skip
    """Train the encoder and the decoder of our convolutional VAE; every image's pixels are drawn anew in each epoch."""
    with quiet():
        from pythae.data.datasets import BaseDataset, DatasetOutput  # pyright: ignore[reportMissingImports]
        from pythae.models import VAE, VAEConfig  # pyright: ignore[reportMissingImports]
        from pythae.models.base.base_utils import ModelOutput  # pyright: ignore[reportMissingImports]
        from pythae.models.nn import BaseDecoder, BaseEncoder  # pyright: ignore[reportMissingImports]

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = network.encoder

        def forward(self, x: Any) -> Any:
            mu, logvar = self.encoder(x).chunk(2, dim=-1)
            return ModelOutput(embedding=mu, log_covariance=logvar)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = network.decoder

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.decoder(z).sigmoid())

    class Drawn(BaseDataset):
        def __getitem__(self, index: int) -> Any:
            return DatasetOutput(data=mnist_conv_vae.binarize(self.data[index]), labels=self.labels[index])

    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=network.latent_dim, reconstruction_loss="bce")
    model = VAE(config, encoder=Encoder(), decoder=Decoder())
    train(model, Drawn(data.train_x, data.train_y), num_epochs, batch_size, lambda _: ends(network))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence pythae's log, which says on the screen what it is about to do."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
