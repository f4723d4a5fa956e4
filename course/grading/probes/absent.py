"""Stand in for what a notebook imports and this machine does not have: modules that do nothing, and say nothing.

A notebook that was written in Colab imports ``google.colab``, ``seaborn`` or ``tensorboard`` in its first cell. None of
these changes what it trains, and without them nothing after that cell would be tried.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from torch import nn

COMMON = frozenset(
    (
        "google", "kaggle", "kaggle_datasets", "opendatasets", "gdown", "IPython_genutils",
        "pandas", "polars", "seaborn", "plotly", "bokeh", "altair", "cv2", "imageio", "skimage", "scipy", "sklearn",
        "umap", "openTSNE", "celluloid", "graphviz", "torchviz", "torchsummary", "torchinfo", "torchmetrics",
        "torcheval", "tensorboard", "tensorboardX", "wandb", "mlflow", "neptune", "comet_ml", "hiddenlayer",
        "pytorch_lightning", "lightning", "ignite", "accelerate", "einops", "tqdm", "ipywidgets", "livelossplot",
        "pytorch_msssim", "lpips", "fvcore", "thop", "psutil", "GPUtil", "pynvml", "requests", "yaml", "dotenv",
        "nbimporter", "jdc", "prettytable", "tabulate", "termcolor", "colorama", "rich", "mpl_toolkits", "joypy",
        "tensorflow", "keras", "jax", "flax", "optax", "numba", "numexpr", "cycler_ext", "matplotlib_inline",
    )
)  # fmt: skip
BESIDE = ("torch.utils.tensorboard",)  # a module of a package that is there, which needs one that is not


class Inert:
    """Answer everything with itself: calls, attributes, items; as a number it is zero, as a list it is empty."""

    def __init__(self, name: str = "") -> None:
        self.__dict__["_name"] = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # as a decorator it leaves what it decorates
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Inert(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (nn.Module,) if "Module" in self.__dict__["_name"] else ()

    def __getitem__(self, key: Any) -> "Inert":
        return self

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __enter__(self) -> "Inert":
        return self

    def __exit__(self, *_: Any) -> None: ...

    def __bool__(self) -> bool:
        return False

    def __float__(self) -> float:
        return 0.0

    def __int__(self) -> int:
        return 0

    def __index__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return ""

    def __fspath__(self) -> str:
        return "."

    def __instancecheck__(self, instance: Any) -> bool:
        return False  # other libraries ask whether something is a table of pandas', where that was imported

    def __subclasscheck__(self, subclass: Any) -> bool:
        return False

    def __add__(self, other: Any) -> Any:
        return self

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __or__ = __and__ = __add__


class InertModule(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Inert(name)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Find, after all others, the modules that are commonly there."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        top = name.split(".")[0]
        if top not in COMMON and name not in BESIDE:
            return None
        if "." in name and name not in BESIDE and not isinstance(sys.modules.get(top), InertModule):
            return None  # a part that a package of this machine does not have is the notebook's own mistake
        spec = importlib.machinery.ModuleSpec(name, self, is_package=True)
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return InertModule(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


def stand_in() -> None:
    """Let absent modules be found from now on."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())
    for name in BESIDE:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = InertModule(name)
    if importlib.util.find_spec("google") is not None and not isinstance(sys.modules.get("google"), InertModule):
        # a namespace that other packages share hides Colab's part of it
        for name in ("google.colab", "google.colab.drive", "google.colab.files"):
            sys.modules.setdefault(name, InertModule(name))
