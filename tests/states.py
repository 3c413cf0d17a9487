"""Every state of every token of a batch, padding included, as the `layers` graph gives them."""

import numpy as np

from polyseme.artifact.graphs import TOKEN_VECTORS
from polyseme.runtime.batches.selection import TokenSelection


def all_states(session, batch, num_hidden_layers):
    """[L + 2, B, S, H] float32: the row of the word table, the embeddings, layers 1..L."""
    rows, columns = batch.shape
    selection = TokenSelection(
        positions=np.arange(rows * columns, dtype=np.int32),
        layer_weights=np.eye(num_hidden_layers + 2, dtype=np.float32),
    )
    (vectors,) = session.run(batch, [TOKEN_VECTORS], selection)
    return vectors.reshape(num_hidden_layers + 2, rows, columns, -1)
