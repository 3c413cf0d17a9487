"""Log lines that say what is served, to whom, and within which memory."""

from __future__ import annotations

import logging

from polyseme.runtime.engines.onnxruntime.padded_session import runtime_version
from polyseme.server.config import ServerConfig
from polyseme.server.memory.budget import UNASKED_BYTES
from polyseme.server.models.registry import Models
from polyseme.server.models.served import ServedModel
from polyseme.server.security.address import host_and_port, is_loopback

log = logging.getLogger(__name__)


def warn_if_open(config: ServerConfig) -> None:
    """Warn where other machines may call and neither TLS nor a token keeps anybody out."""
    if config.port >= 0 and not (config.tls_cert or config.token_file or is_loopback(config.host)):
        log.warning(
            "OPEN: whoever reaches %s may call, in plaintext: no TLS, no tokens, and --host is not loopback",
            config.host or "any address of this machine",
        )


def announce_memory(config: ServerConfig, limit: int, room: int) -> None:
    """Log the limits of memory in one line; as a warning where gRPC alone could exceed them.

    Args:
        config: the settings.
        limit: bytes that the process may hold.
        room: bytes of these that calls may hold.
    """
    unasked = config.max_connections * config.max_streams * UNASKED_BYTES
    log.log(
        logging.WARNING if unasked > room else logging.INFO,
        "memory: %d MiB at most (--max-memory %s), %d of them for calls; gRPC alone may hold %d MiB: "
        "%d connections x %d calls x %d kB that come unasked%s",
        limit >> 20,
        config.max_memory,
        room >> 20,
        unasked >> 20,
        config.max_connections,
        config.max_streams,
        UNASKED_BYTES >> 10,
        "; that is more: lower --max-connections or --max-streams" if unasked > room else "",
    )


def announce_all(models: Models, config: ServerConfig, port: int) -> None:
    """Log each model that is served, one line each."""
    for model in models:
        announce(model, config, port, is_default=model is models.default)


def announce(model: ServedModel, config: ServerConfig, port: int, *, is_default: bool = True) -> None:
    """Log in one line what is served; warn where it does not run on the device that was asked for."""
    engine = model.engine.info
    if engine.fell_back:
        log.warning("NO CUDA, RUNNING ON CPU: %s (--device cpu to accept, cuda to refuse)", engine.fell_back)
    policy = engine.policy
    log.info(
        "serving %s@%s%s on %s | %s, %s, onnxruntime %s, %d runner(s) x %d thread(s) | max %d tokens a text, "
        "%d texts a call, %d bytes a text, batch %d tokens / %d texts, queue %d tokens",
        model.manifest.name,
        model.version,
        " (default)" if is_default else "",
        " and ".join(_targets(config, port)),
        engine.precision.value,
        engine.execution_provider,
        runtime_version(),
        engine.runners,
        config.intra_op_threads,
        model.spec.max_tokens,
        config.max_texts,
        config.max_text_bytes,
        policy.max_batch_tokens,
        policy.max_batch_texts,
        policy.max_queue_tokens,
    )


def _targets(config: ServerConfig, port: int) -> list[str]:
    """Give what callers write."""
    by_port = [host_and_port(config.host, port)] if config.port >= 0 else []
    return [*by_port, *([config.listen] if config.listen else [])]
