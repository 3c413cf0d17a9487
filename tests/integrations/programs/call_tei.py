"""Calls a server with tei-client, in an environment without polyseme: python call_tei.py HOST:PORT TEXT..."""

import json
import sys

from tei_client.clients.grpc_client import GrpcClient

target, *texts = sys.argv[1:]
client = GrpcClient(target)
info = client.info()
told = {
    "model": info.server_model_id,
    "healthy": client.health(),
    "embed": [list(vector) for vector in client.embed(texts)],
    "embed_all": [len(vectors) for vectors in client.embed_all(texts)],
    "tokens": [[token.text for token in result.tokens] for result in client.tokenize(texts)],
}
print(json.dumps(told))
