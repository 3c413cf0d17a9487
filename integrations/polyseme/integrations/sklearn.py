"""A scikit-learn transformer: texts to vectors, as a step of a Pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from polyseme.client import Client, Texts, Truncate


class TextEmbedder(TransformerMixin, BaseEstimator):
    """Embeds texts with a Polyseme server; it learns nothing, so transform works without fit.

    Args:
        target: the server, as "host:port"; or a function that makes the client, for TLS or a token, by name for pickle.
        model: NAME or NAME@VERSION of the model; default: the client's, else the server's default model.
        normalize, dimensions, truncate, prompt_name: as of `Client.embed`.
    """

    def __init__(
        self,
        target: str | Callable[[], Client] = "localhost:50051",
        *,
        model: str | None = None,
        normalize: bool | None = None,
        dimensions: int | None = None,
        truncate: Truncate = "none",
        prompt_name: str | None = None,
    ) -> None:
        self.target, self.model = target, model
        self.normalize, self.dimensions = normalize, dimensions
        self.truncate, self.prompt_name = truncate, prompt_name

    def fit(self, X: Texts, y: object = None) -> Self:  # noqa: N803  scikit-learn's name
        """Do nothing: the model is trained."""
        return self

    def transform(self, X: Texts) -> npt.NDArray[np.float32]:  # noqa: N803
        """Embed texts: [N, D] float32. Raise a PolysemeError where the call fails."""
        options: dict[str, Any] = {name: value for name, value in self.get_params().items() if name != "target"}
        with self._client() as client:
            return client.embed(X, **options)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Name the elements of a vector: textembedder0, textembedder1 and so on; asks the server how many there are."""
        with self._client() as client:
            count = self.dimensions or client.model(self.model).dimensions
        return np.array([f"textembedder{index}" for index in range(count)], dtype=object)

    def _client(self) -> Client:
        return self.target() if callable(self.target) else Client(self.target)

    def __sklearn_is_fitted__(self) -> bool:
        return True
