"""Calls a server with tritonclient, in an environment without polyseme: python call_triton.py HOST:PORT TEXT..."""

import json
import sys

import numpy as np
import tritonclient.grpc as triton

target, *texts = sys.argv[1:]
client = triton.InferenceServerClient(target)
model = client.get_model_repository_index(as_json=True)["models"][0]["name"]
text = triton.InferInput("text", [len(texts)], "BYTES")
text.set_data_from_numpy(np.array([one.encode() for one in texts], dtype=object))
reply = client.infer(model, [text])
replies = []
client.start_stream(lambda result, error: replies.append((result, error)))
client.async_stream_infer(model, [text])
client.stop_stream()
((streamed, error),) = replies
assert error is None, error
told = {
    "model": model,
    "ready": client.is_server_live() and client.is_server_ready() and client.is_model_ready(model),
    "metadata": client.get_model_metadata(model, as_json=True),
    "embed": reply.as_numpy("embedding").tolist(),
    "streamed": streamed.as_numpy("embedding").tolist(),
    "tokens": reply.as_numpy("tokens").tolist(),
}
print(json.dumps(told))
