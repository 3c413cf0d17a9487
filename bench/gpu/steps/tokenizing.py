"""How many texts a second the machine's cores tokenize, which is as many as a server can take: by number of threads."""

import os
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, process_time

from bench.gpu.lib.setting import REAL, Setting
from bench.gpu.steps.real_model import token_ids
from bench.gpu.steps.served import sample_texts

_CALL = 32  # texts


def run(setting: Setting) -> None:
    texts = sample_texts(512 if setting.is_quick else 2048)
    ids_of = token_ids(setting.artifact(REAL if setting.checkpoint else setting.names[0]))
    calls = [texts[begin : begin + _CALL] for begin in range(0, len(texts), _CALL)]
    ids_of(calls[0])
    cores, threads = os.cpu_count() or 1, 1
    while threads <= cores:
        each = calls * max(1, threads // 2)
        with ThreadPoolExecutor(threads) as pool:
            begin, used = perf_counter(), process_time()
            for _ in pool.map(ids_of, each):
                pass
            wall, cpu = perf_counter() - begin, process_time() - used
        setting.record.add(
            f"tokenizing, 3 to 60 words a text, {_CALL} texts a call", threads=threads,
            texts_s=_CALL * len(each) / wall, CPU_us_a_text=cpu / (_CALL * len(each)) * 1e6,
        )  # fmt: skip
        threads *= 2
